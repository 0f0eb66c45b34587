// The examples of docs/client-guide.md for browsers, against a running Laurel.
import assert from 'node:assert/strict';
import { randomUUID, webcrypto } from 'node:crypto';
import { register } from 'node:module';
import { before, test } from 'node:test';
import { gql as apolloGql } from '@apollo/client';
import { gql } from '@urql/core';
import WebSocket from 'ws';
import { httpUrl, socketUrl, token } from './server.mjs';

globalThis.crypto ??= webcrypto; // as every browser has it, and node from 20 on

// The examples lie where no packages are: they find those of this folder.
register(`data:text/javascript,${encodeURIComponent(`
  export const resolve = (name, context, next) =>
    next(name, context.parentURL?.includes('/docs/examples/') && !name.startsWith('.') ? { ...context, parentURL: ${JSON.stringify(import.meta.url)} } : context);
`)}`);
const { createLive } = await import('../../docs/examples/live.mjs');
const apollo = await import('../../docs/examples/apollo.mjs');
const urql = await import('../../docs/examples/urql.mjs');

const operatorToken = process.env.LAUREL_OPERATOR_TOKEN;
const live = () => createLive({ socketUrl, token: async () => token, webSocketImpl: WebSocket });
const WALLET_CHANGED = 'subscription { walletChanged { sequence change coupon { id headline state } } }';

async function operate(query, input) {
  const response = await fetch(httpUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${operatorToken}` },
    body: JSON.stringify({ query, variables: { input: { ...input, idempotencyKey: randomUUID() } } }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return Object.values(data)[0];
}

function newStorage() {
  const kept = new Map();
  return { kept, getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
}

let couponTemplateId;

before(async () => {
  const { couponTemplate } = await operate(
    'mutation Create($input: CreateCouponTemplateInput!) { createCouponTemplate(input: $input) { ... on CreateCouponTemplateSuccess { couponTemplate { id } } } }',
    {
      name: 'Examples', kind: 'AMOUNT_OFF', terms: { amountMinor: 500 }, currencyCode: 'CNY', stock: 10, limitPerMember: 2,
      claimOpensAt: '2020-01-01T00:00:00Z', claimClosesAt: '2099-01-01T00:00:00Z', validity: { daysAfterClaim: 7 },
    },
  );
  couponTemplateId = couponTemplate.id;
  await operate('mutation Publish($input: PublishCouponTemplateInput!) { publishCouponTemplate(input: $input) { __typename } }', { couponTemplateId });
});

test('Apollo claims, is told of it, and reads a refusal that its list does not have', async (t) => {
  const socket = live();
  t.after(() => socket.dispose());
  const client = apollo.createLaurel({ url: httpUrl, live: socket, token: async () => token });
  const storage = newStorage();
  const told = [];
  const listening = client.subscribe({ query: apolloGql(WALLET_CHANGED) }).subscribe(({ data }) => told.push(data.walletChanged));
  t.after(() => listening.unsubscribe());
  await new Promise((resolve) => setTimeout(resolve, 1000));

  const { coupon } = await apollo.claim(client, couponTemplateId, { storage });
  assert.equal(coupon.state, 'CLAIMED');
  for (let round = 0; told.length === 0 && round < 100; round += 1) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(told[0].coupon.id, coupon.id);

  await apollo.claim(client, couponTemplateId, { storage });
  const { refusal } = await apollo.claim(client, couponTemplateId, { storage });
  assert.equal(refusal.code, 'CLAIM_LIMIT_REACHED');
  assert.ok(refusal.message);
  assert.equal(storage.kept.size, 0);
  await assert.rejects(apollo.claim(client, 'no id', { storage }));
  assert.equal(storage.kept.size, 0);

  const stuck = { mutate: async () => ({ data: { claimCoupon: { code: 'OPERATION_IN_PROGRESS', message: 'Under way.' } } }) };
  await apollo.claim(stuck, couponTemplateId, { storage });
  assert.equal(storage.kept.size, 1);
});

test('urql reads the wallet and is told of changes', async (t) => {
  const socket = live();
  t.after(() => socket.dispose());
  const client = urql.createLaurel({ url: httpUrl, live: socket, token: () => token });
  const { data } = await client.query(gql('{ me { wallet { counts { claimed } } } }'), {}).toPromise();
  assert.ok(data.me.wallet.counts.claimed >= 2);
  const told = new Promise((resolve) => {
    const { unsubscribe } = client.subscription(gql(WALLET_CHANGED), {}).subscribe((result) => {
      unsubscribe();
      resolve(result.data.walletChanged);
    });
  });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const other = await operate('mutation Create($input: CreateCouponTemplateInput!) { createCouponTemplate(input: $input) { ... on CreateCouponTemplateSuccess { couponTemplate { id } } } }', {
    name: 'Another', kind: 'AMOUNT_OFF', terms: { amountMinor: 500 }, currencyCode: 'CNY', stock: 1,
    claimOpensAt: '2020-01-01T00:00:00Z', claimClosesAt: '2099-01-01T00:00:00Z', validity: { daysAfterClaim: 7 },
  });
  await operate('mutation Publish($input: PublishCouponTemplateInput!) { publishCouponTemplate(input: $input) { __typename } }', { couponTemplateId: other.couponTemplate.id });
  await client.mutation(gql`mutation Claim($input: ClaimCouponInput!) { claimCoupon(input: $input) { __typename } }`, {
    input: { couponTemplateId: other.couponTemplate.id, idempotencyKey: randomUUID() },
  }).toPromise();
  assert.equal((await told).change, 'CLAIMED');
});
