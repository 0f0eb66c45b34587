// graphql-ws 6 (graphql-transport-ws): connection_init with a token, subscriptions, queries, refusals, the close codes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { socketUrl, token } from './server.mjs';

function connect(connectionParams = { authorization: `Bearer ${token}` }, more = {}) {
  return createClient({ url: socketUrl, webSocketImpl: WebSocket, connectionParams, retryAttempts: 0, ...more });
}

async function all(client, payload) {
  const values = [];
  for await (const value of client.iterate(payload)) values.push(value);
  await client.dispose();
  return values;
}

test('a subscription gives its values in order and completes', async () => {
  const values = await all(connect(), { query: 'subscription { count(to: 4) }' });
  assert.deepEqual(values.map(({ data }) => data.count), [0, 1, 2, 3]);
});

test('a query on a socket knows its caller and its cost', async () => {
  const [value] = await all(connect(), { query: '{ who shop { name } }' });
  assert.equal(value.data.who, token);
  assert.equal(value.extensions.cost.requested, 1);
});

test('an operation over the limits is refused, and the socket lives on', async () => {
  const client = connect();
  const deep = `{ shop ${'{ branches { nodes '.repeat(12)} { name } ${'} }'.repeat(12)} }`;
  await assert.rejects(async () => {
    for await (const _ of client.iterate({ query: deep })) break;
  }, (errors) => errors[0].extensions.code === 'QUERY_TOO_COMPLEX');
  const [value] = await all(client, { query: '{ hello }' });
  assert.equal(value.data.hello, 'hello world');
});

test('a token that cannot be trusted closes the socket with 4403', async () => {
  const client = connect({ authorization: 'Bearer forged' });
  await assert.rejects(
    async () => {
      for await (const _ of client.iterate({ query: '{ hello }' })) break;
    },
    (event) => event.code === 4403 || event.code === 4401,
  );
});
