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
  const live = listening(t, memberToken);
  for await (const { data, extensions } of live.iterate({ query: WALLET, variables: { first: 5 } })) {
    assert.equal(data.me.wallet.coupons.nodes.length, 1);
    assert.ok(extensions.cost.requested > 0);
  }
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

test('whoever comes back with the last number that it has seen gets what it missed, then what is new', async (t) => {
  const live = listening(t, memberToken);
  const events = live.iterate({ query: 'subscription { walletChanged(since: 0) { sequence snapshotRequired change } }' });
  const first = (await events.next()).value.data.walletChanged;
  assert.deepEqual(first, { sequence: 1, snapshotRequired: false, change: 'CLAIMED' });
  assert.equal((await events.next()).value.data.walletChanged.sequence, 2);
  const told = events.next();
  const { me } = (await urql.query(gql`{ me { id wallet { sequence } } }`, {}).toPromise()).data;
  assert.equal(me.wallet.sequence, 2);
  await operate(
    `mutation Void($input: VoidCouponInput!) { voidCoupon(input: $input) { __typename ... on Problem { message } } }`,
    { couponId: claimed, reason: 'a test' },
  );
  const { sequence, change } = (await told).value.data.walletChanged;
  assert.deepEqual([sequence, change], [3, 'VOIDED']);
});

test('whoever names a number that a stream has not come to is told to read the whole again', async (t) => {
  const { me } = (await urql.query(gql`{ me { id } }`, {}).toPromise()).data;
  const adjusted = await operate(
    `mutation Adjust($input: AdjustPointsInput!) {
      adjustPoints(input: $input) { __typename ... on Problem { message } }
    }`,
    { memberId: me.id, delta: 70, reason: 'a test' },
  );
  assert.equal(adjusted.__typename, 'AdjustPointsSuccess', adjusted.message);
  const { merchant } = await operate(
    `mutation Make($input: CreateMerchantInput!) {
      createMerchant(input: $input) { ... on CreateMerchantSuccess { merchant { id } } ... on Problem { message } }
    }`,
    { name: 'Tea', externalRef: 'since' },
  );
  const asked = [
    [memberToken, 'subscription { walletChanged(since: 999) { sequence snapshotRequired change coupon { id } } }',
      { sequence: 3, snapshotRequired: true, change: null, coupon: null }],
    [memberToken, 'subscription { pointsChanged(since: 999) { sequence snapshotRequired available transaction { id } } }',
      { sequence: 1, snapshotRequired: true, available: 70, transaction: null }],
    [operatorToken, `subscription Redemptions($merchantId: ID!) {
      merchantRedemptions(merchantId: $merchantId, since: 9) { sequence snapshotRequired redemption { id } }
    }`,
      { sequence: 0, snapshotRequired: true, redemption: null }],
  ];
  for (const [token, query, expected] of asked) {
    const { value } = await listening(t, token).iterate({ query, variables: { merchantId: merchant.id } }).next();
    assert.deepEqual(Object.values(value.data)[0], expected);
  }
});

test('what is left of a stock is told now, and when somebody claims', async (t) => {
  const live = listening(t, memberToken);
  const query = `subscription Stock($couponTemplateId: ID!) {
    stockChanged(couponTemplateId: $couponTemplateId) { remaining occurredAt couponTemplate { id stock { remaining } } }
  }`;
  const { couponTemplate } = await operate(
    `mutation Create($input: CreateCouponTemplateInput!) {
      createCouponTemplate(input: $input) {
        ... on CreateCouponTemplateSuccess { couponTemplate { id } } ... on Problem { message }
      }
    }`,
    {
      name: '立减5',
      kind: 'AMOUNT_OFF',
      terms: { amountMinor: 500 },
      currencyCode: 'CNY',
      stock: 2,
      claimOpensAt: '2020-01-01T00:00:00Z',
      claimClosesAt: '2099-01-01T00:00:00Z',
      validity: { daysAfterClaim: 7 },
    },
  );
  const draft = await live.iterate({ query, variables: { couponTemplateId: couponTemplate.id } }).next();
  assert.equal(draft.value.errors[0].extensions.argument, 'couponTemplateId', 'a draft is nobody\'s but its makers\'');
  await operate(
    `mutation Publish($input: PublishCouponTemplateInput!) {
      publishCouponTemplate(input: $input) { __typename ... on Problem { message } }
    }`,
    { couponTemplateId: couponTemplate.id },
  );
  const stocks = live.iterate({ query, variables: { couponTemplateId: couponTemplate.id } });
  assert.equal((await stocks.next()).value.data.stockChanged.remaining, 2);
  for (const remaining of [1, 0]) {
    const input = { couponTemplateId: couponTemplate.id, idempotencyKey: randomUUID() };
    const claimedNow = (await apollo.mutate({ mutation: CLAIM, variables: { input } })).data.claimCoupon;
    assert.ok(claimedNow.coupon, claimedNow.message);
    const { stockChanged } = (await stocks.next()).value.data;
    assert.deepEqual([stockChanged.remaining, stockChanged.couponTemplate.stock.remaining], [remaining, remaining]);
  }
});

test('a number below zero is refused by its name', async (t) => {
  const { value } = await listening(t, memberToken)
    .iterate({ query: 'subscription { pointsChanged(since: -1) { sequence } }' })
    .next();
  assert.deepEqual([value.errors[0].extensions.code, value.errors[0].extensions.argument], ['BAD_USER_INPUT', 'since']);
});

function listening(t, token) {
  const live = createClient({
    url: socketUrl,
    webSocketImpl: WebSocket,
    connectionParams: bearer(token),
    retryAttempts: 0,
    lazy: false,
  });
  t.after(() => live.dispose());
  return live;
}
