// urql: its default Accept header, which names text/event-stream, is answered with JSON.
import { cacheExchange, Client, fetchExchange, subscriptionExchange } from '@urql/core';

/** token(): an access token that is still valid. live: see live.mjs. */
export function createLaurel({ url, live, token }) {
  return new Client({
    url,
    preferGetMethod: false,
    fetchOptions: () => ({ headers: { authorization: `Bearer ${token()}` } }),
    exchanges: [
      cacheExchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: (sink) => ({ unsubscribe: live.subscribe({ query, variables }, sink) }),
        }),
      }),
    ],
  });
}
