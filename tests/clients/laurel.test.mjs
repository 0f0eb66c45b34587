// The whole way with the clients that people use: an operator publishes, a member claims, reads and is told.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, test } from 'node:test';
import { ApolloClient, gql as apolloGql, HttpLink, InMemoryCache } from '@apollo/client';
import { Client, fetchExchange, gql } from '@urql/core';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { httpUrl, socketUrl, token as memberToken } from './server.mjs';

const operatorToken = process.env.LAUREL_OPERATOR_TOKEN;
const bearer = (token) => ({ authorization: `Bearer ${token}` });
const apollo = new ApolloClient({
  link: new HttpLink({ uri: httpUrl, headers: bearer(memberToken) }),
  cache: new InMemoryCache(),
});
const urql = new Client({
  url: httpUrl,
  preferGetMethod: false,
  exchanges: [fetchExchange],
  fetchOptions: { headers: bearer(memberToken) },
});
const CLAIM = apolloGql`
  mutation Claim($input: ClaimCouponInput!) {
    claimCoupon(input: $input) {
      ... on ClaimCouponSuccess { replayed coupon { id headline state } }
      ... on Problem { code message }
    }
  }`;
const WALLET = `query Wallet($first: Int!) {
  me { wallet { coupons(first: $first) { nodes { id headline state } pageInfo { hasNextPage } } } }
}`;

async function operate(query, input) {
  const response = await fetch(httpUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(operatorToken) },
    body: JSON.stringify({ query, variables: { input: { ...input, idempotencyKey: randomUUID() } } }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return Object.values(data)[0];
}

let couponTemplateId;
let claimed;

before(async () => {
  const created = await operate(
    `mutation Create($input: CreateCouponTemplateInput!) {
      createCouponTemplate(input: $input) {
        ... on CreateCouponTemplateSuccess { couponTemplate { id } } ... on Problem { message }
      }
    }`,
    {
      name: '满100减20',
      kind: 'THRESHOLD_AMOUNT_OFF',
      terms: { thresholdMinor: 10000, amountMinor: 2000 },
      currencyCode: 'CNY',
      stock: 10,
      limitPerMember: 2,
      claimOpensAt: '2020-01-01T00:00:00Z',
      claimClosesAt: '2099-01-01T00:00:00Z',
      validity: { daysAfterClaim: 7 },
    },
  );
  couponTemplateId = created.couponTemplate?.id;
  assert.ok(couponTemplateId, created.message);
  await operate(
    `mutation Publish($input: PublishCouponTemplateInput!) {
      publishCouponTemplate(input: $input) { __typename ... on Problem { message } }
    }`,
    { couponTemplateId },
  );
});

test('Apollo claims a coupon, and the same key gives the same coupon', async () => {
  const input = { couponTemplateId, idempotencyKey: randomUUID() };
  const first = (await apollo.mutate({ mutation: CLAIM, variables: { input } })).data.claimCoupon;
  const again = (await apollo.mutate({ mutation: CLAIM, variables: { input } })).data.claimCoupon;
  claimed = first.coupon.id;
  assert.deepEqual([first.replayed, again.replayed], [false, true]);
  assert.equal(again.coupon.id, claimed);
});

test('urql reads the coupon from the wallet', async () => {
  const { data, error } = await urql.query(gql(WALLET), { first: 10 }).toPromise();
  assert.equal(error, undefined);
  const { nodes } = data.me.wallet.coupons;
  assert.deepEqual(nodes.map(({ id, state }) => [id, state]), [[claimed, 'CLAIMED']]);
});

test('a page size out of range names its argument', async () => {
  const { error } = await urql.query(gql(WALLET), { first: 101 }).toPromise();
  assert.equal(error.graphQLErrors[0].extensions.code, 'BAD_USER_INPUT');
  assert.equal(error.graphQLErrors[0].extensions.argument, 'Wallet.coupons.first');
});

test('graphql-ws asks, and is told when Apollo claims', async (t) => {
  const live = createClient({
    url: socketUrl,
    webSocketImpl: WebSocket,
    connectionParams: bearer(memberToken),
    retryAttempts: 0,
    lazy: false,
  });
  t.after(() => live.dispose());
  for await (const { data, extensions } of live.iterate({ query: WALLET, variables: { first: 5 } })) {
    assert.equal(data.me.wallet.coupons.nodes.length, 1);
    assert.ok(extensions.cost.requested > 0);
  }
  const { data } = await urql.query(gql`{ __schema { subscriptionType { name } } }`, {}).toPromise();
  if (!data.__schema.subscriptionType) return t.skip('the schema has no subscriptions yet');
  const events = live.iterate({ query: 'subscription Live { walletChanged { sequence change coupon { id } } }' });
  const told = events.next();
  // The subscription has no acknowledgement of its own: claim once it has surely begun.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const input = { couponTemplateId, idempotencyKey: randomUUID() };
  const { coupon } = (await apollo.mutate({ mutation: CLAIM, variables: { input } })).data.claimCoupon;
  const { value } = await told;
  assert.equal(value.data.walletChanged.change, 'CLAIMED');
  assert.equal(value.data.walletChanged.coupon.id, coupon.id);
});
