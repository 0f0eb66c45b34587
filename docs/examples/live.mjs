// One socket for all subscriptions of a page, by graphql-ws 6.
import { createClient } from 'graphql-ws';

const ANSWER_MS = 5_000;

/** token(): a promise of an access token that is still valid; it is asked at every connection. */
export function createLive({ socketUrl, token, ...more }) {
  let silence;
  const live = createClient({
    url: socketUrl,
    connectionParams: async () => ({ Authorization: `Bearer ${await token()}` }),
    retryAttempts: Infinity, // after 1001, 1013, 4403, 4408 and a lost network, with growing pauses
    keepAlive: 20_000,
    on: {
      // A network that is gone without a word: no pong comes, so the connection is given up and made anew.
      ping: (received) => {
        if (!received) silence = setTimeout(() => live.terminate(), ANSWER_MS);
      },
      pong: (received) => {
        if (received) clearTimeout(silence);
      },
      closed: () => clearTimeout(silence),
    },
    ...more,
  });
  return live;
}
