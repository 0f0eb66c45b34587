// The mini-program of docs/examples/weapp, on a small `wx`, against a running Laurel.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { before, test } from 'node:test';
import { httpUrl, socketUrl, token as memberToken } from './server.mjs';
import { installWx } from './wx.mjs';

const world = installWx();
const require = createRequire(import.meta.url);
const { createLaurel } = require('../../docs/examples/weapp/laurel.js');
const { claim, follow } = require('../../docs/examples/weapp/wallet.js');
const operatorToken = process.env.LAUREL_OPERATOR_TOKEN;

const laurel = createLaurel({ url: httpUrl, socketUrl, token: async () => memberToken, language: 'en' });
const CREATE = `mutation Create($input: CreateCouponTemplateInput!) {
  createCouponTemplate(input: $input) { ... on CreateCouponTemplateSuccess { couponTemplate { id } } ... on Problem { message } }
}`;
const PUBLISH = `mutation Publish($input: PublishCouponTemplateInput!) {
  publishCouponTemplate(input: $input) { __typename ... on Problem { message } }
}`;

async function until(condition, what) {
  for (let round = 0; round < 200; round += 1) {
    const value = condition();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`never: ${what}`);
}

async function newTemplate(limitPerMember) {
  const operator = createLaurel({ url: httpUrl, socketUrl, token: async () => operatorToken });
  const { couponTemplate, message } = await operator.write(`create:${randomUUID()}`, CREATE, {
    name: 'Mini-program',
    kind: 'AMOUNT_OFF',
    terms: { amountMinor: 500 },
    currencyCode: 'CNY',
    stock: 100,
    limitPerMember,
    claimOpensAt: '2020-01-01T00:00:00Z',
    claimClosesAt: '2099-01-01T00:00:00Z',
    validity: { daysAfterClaim: 7 },
  });
  assert.equal(message, undefined);
  await operator.write(`publish:${couponTemplate.id}`, PUBLISH, { couponTemplateId: couponTemplate.id });
  return couponTemplate.id;
}

const writesKept = () => [...world.storage.keys()].filter((key) => key.startsWith('laurel:write:'));
let generous;

before(async () => {
  generous = await newTemplate(50);
});

test('a coupon is claimed, and nothing is left to send', async () => {
  const { coupon } = await claim(laurel, generous);
  assert.equal(coupon.state, 'CLAIMED');
  assert.equal(coupon.headline, '¥5 off');
  assert.deepEqual(writesKept(), []);
});

test('a claim whose answer was lost is the same claim when it is sent again', async () => {
  const wallet = 'query { me { wallet { counts { claimed } } } }';
  const before = (await laurel.request(wallet)).me.wallet.counts.claimed;
  world.faults.loseAnswers = 1;
  await assert.rejects(claim(laurel, generous), ({ code }) => code === 'NETWORK');
  assert.deepEqual(writesKept(), [`laurel:write:claim:${generous}`]);
  const restarted = createLaurel({ url: httpUrl, socketUrl, token: async () => memberToken });
  const results = await restarted.resume();
  assert.equal(results[`claim:${generous}`].replayed, true);
  assert.deepEqual(writesKept(), []);
  assert.equal((await laurel.request(wallet)).me.wallet.counts.claimed, before + 1);
});

test('a refusal is an answer: it has a code, a text in the language asked for, and the next try has a new key', async () => {
  const once = await newTemplate(1);
  assert.ok((await claim(laurel, once)).coupon);
  const { refusal } = await claim(laurel, once);
  assert.equal(refusal.code, 'CLAIM_LIMIT_REACHED');
  assert.match(refusal.message, /^You have as many/);
  assert.deepEqual(writesKept(), []);
});

test('a mistake of the program is thrown with its code, and is not sent again', async () => {
  await assert.rejects(claim(laurel, 'no id'), ({ code }) => code === 'BAD_USER_INPUT');
  assert.deepEqual(writesKept(), []);
});

test('a token that was refused is fetched anew, once', async () => {
  const asked = [];
  const stale = createLaurel({
    url: httpUrl,
    socketUrl,
    token: async ({ fresh }) => asked.push(fresh) && (fresh ? memberToken : 'stale'),
  });
  const { me } = await stale.request('query { me { joinedAt } }');
  assert.ok(me.joinedAt);
  assert.deepEqual(asked, [false, true]);
});

test('a claim that is still under way is the same claim when it is sent again', async () => {
  world.faults.stillUnderWay = 1;
  const { refusal } = await claim(laurel, generous);
  assert.equal(refusal.code, 'OPERATION_IN_PROGRESS');
  assert.deepEqual(writesKept(), [`laurel:write:claim:${generous}`]);
  const { coupon } = await claim(laurel, generous);
  assert.equal(coupon.state, 'CLAIMED');
  assert.deepEqual(writesKept(), []);
});

test('the wallet is shown and followed, through duplicates, gaps and a lost connection', async (t) => {
  const shown = [];
  const stop = follow(laurel, (coupons) => shown.push(coupons.length));
  t.after(stop);
  const last = () => world.sockets.at(-1);
  await until(() => shown.length === 1, 'the snapshot');
  const count = shown[0];

  await claim(laurel, generous);
  await until(() => shown.length === 2, 'the event');
  assert.equal(shown[1], count + 1);

  // The same event twice, as after a relay that died between publishing and noting it.
  const id = last().sent.find(({ type }) => type === 'subscribe').id;
  const seen = (await laurel.request('query { me { wallet { sequence } } }')).me.wallet.sequence;
  const event = (sequence) => ({ type: 'next', id, payload: { data: { walletChanged: { sequence, snapshotRequired: false, change: 'CLAIMED', coupon: null } } } });
  last().say(event(seen));
  assert.equal(shown.length, 2);

  // An event that does not follow the last one: the wallet is read again.
  last().say(event(seen + 1));
  assert.equal(shown.length, 3);
  last().say(event(seen + 5));
  last().say(event(seen)); // while it is being read: in what is read already
  await until(() => shown.length === 5, 'the wallet read again, and the event that is newer');
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(shown.length, 5);

  // What was seen is not so any more, as after a restore: the wallet is read again, and nothing else is shown.
  const restored = event(1);
  restored.payload.data.walletChanged.snapshotRequired = true;
  last().say(restored);
  await until(() => shown.length === 6, 'the wallet read again');
  last().say(event(seen + 1));
  assert.equal(shown.length, 7);

  last().say({ type: 'ping' });
  assert.deepEqual(last().sent.at(-1), { type: 'pong' });

  // The process stops, a coupon is claimed meanwhile, and the next process goes on.
  const sockets = world.sockets.length;
  last().cut(1001);
  await claim(laurel, generous);
  await until(() => world.sockets.length === sockets + 1, 'another socket');
  await until(() => shown.at(-1) === count + 2, 'the wallet after the reconnection');
  const before = shown.length;
  await claim(laurel, generous);
  await until(() => shown.length === before + 1, 'the event after the reconnection');
  assert.equal(shown.at(-1), count + 3);
});

test('a socket with a refused token asks for a fresh one, and gives up when that is refused too', async (t) => {
  const tokens = [];
  const errors = [];
  const start = (answers) =>
    createLaurel({ url: httpUrl, socketUrl, token: async ({ fresh }) => tokens.push(fresh) && answers.shift() }).live;
  const listen = (live) =>
    live.subscribe({ query: 'subscription { walletChanged { sequence } }', onEvent: () => {}, onError: (e) => errors.push(e) });

  const sockets = world.sockets.length;
  const stop = listen(start(['Bearer forged', memberToken]));
  await until(() => world.sockets.length === sockets + 2 && world.sockets.at(-1).sent.some(({ type }) => type === 'subscribe'), 'the second token');
  assert.deepEqual(tokens, [false, true]);
  assert.deepEqual(errors, []);
  stop();

  t.after(listen(start(['forged', 'forged again'])));
  await until(() => errors.length === 1, 'giving up');
  assert.equal(errors[0].code, 'UNAUTHENTICATED');
  assert.equal(errors[0].closed, 4403);
});

test('a subscription that is not one ends with its error, and the socket lives on', async (t) => {
  const errors = [];
  laurel.live.subscribe({ query: 'subscription { nothing }', onEvent: () => {}, onError: (error) => errors.push(error) });
  const stop = laurel.live.subscribe({ query: 'subscription { walletChanged { sequence } }', onEvent: () => {} });
  t.after(stop);
  await until(() => errors.length === 1, 'the error');
  assert.match(errors[0].message, /nothing/);
  assert.equal(world.sockets.at(-1).socket.readyState, 1);
});

test('an app that comes back to the front connects at once', async (t) => {
  const earlier = world.sockets.length;
  const stop = laurel.live.subscribe({ query: 'subscription { walletChanged { sequence } }', onEvent: () => {} });
  t.after(stop);
  await until(() => world.sockets[earlier]?.sent.some(({ type }) => type === 'subscribe'), 'the subscription');
  const sockets = world.sockets.length;
  world.sockets.at(-1).cut(1006);
  world.show();
  await until(() => world.sockets.length === sockets + 1, 'a socket');
});
