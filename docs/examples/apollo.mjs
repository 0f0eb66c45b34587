// Apollo Client 4: HTTP for queries and mutations, graphql-transport-ws for subscriptions.
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';

/** token(): a promise of an access token that is still valid. live: see live.mjs. */
export function createLaurel({ url, live, token }) {
  const http = ApolloLink.from([
    new SetContextLink(async ({ headers }) => ({ headers: { ...headers, authorization: `Bearer ${await token()}` } })),
    new HttpLink({ uri: url }),
  ]);
  return new ApolloClient({
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(live),
      http,
    ),
    cache: new InMemoryCache({
      // By its form, not by a list: a refusal that is newer than the app is read too.
      possibleTypes: { Problem: ['.*Problem'] },
      typePolicies: { Wallet: { merge: true } },
    }),
  });
}

const CLAIM = gql`
  mutation Claim($input: ClaimCouponInput!) {
    claimCoupon(input: $input) {
      ... on ClaimCouponSuccess { replayed coupon { id headline state } }
      ... on Problem { code message }
    }
  }`;

/** { coupon } or { refusal }. Throws what is neither: no network, no token, a mistake of ours. */
export async function claim(client, couponTemplateId, { storage = globalThis.localStorage } = {}) {
  const place = `laurel:claim:${couponTemplateId}`;
  const idempotencyKey = storage.getItem(place) ?? crypto.randomUUID();
  storage.setItem(place, idempotencyKey); // before it is sent
  try {
    const { data } = await client.mutate({ mutation: CLAIM, variables: { input: { couponTemplateId, idempotencyKey } } });
    const { coupon, code, message } = data.claimCoupon;
    // The first try may still succeed: the next one has the same key.
    if (code !== 'OPERATION_IN_PROGRESS') storage.removeItem(place);
    return coupon ? { coupon } : { refusal: { code, message } };
  } catch (error) {
    const codes = CombinedGraphQLErrors.is(error) ? error.errors.map(({ extensions }) => extensions?.code) : [];
    // Nothing was written, and sending the same again would change nothing. Otherwise the next try has the same key.
    if (codes.includes('BAD_USER_INPUT') || codes.includes('FORBIDDEN')) storage.removeItem(place);
    throw error;
  }
}
