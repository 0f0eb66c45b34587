// urql 6, whose Accept names text/event-stream and multipart/mixed too: ordinary operations are still answered as JSON.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { httpUrl, socketUrl, token } from './server.mjs';

const seen = [];
const client = new Client({
  url: httpUrl,
  preferGetMethod: false,
  exchanges: [fetchExchange],
  fetchOptions: { headers: { authorization: `Bearer ${token}` } },
  fetch: async (url, options) => {
    const response = await fetch(url, options);
    seen.push({ accept: options.headers.accept, type: response.headers.get('content-type') });
    return response;
  },
});

test('with its default Accept a query is answered as JSON', async () => {
  const { data, error } = await client.query(gql`query Hello { hello who }`, {}).toPromise();
  assert.equal(error, undefined);
  assert.equal(data.who, token);
  assert.match(seen[0].accept, /text\/event-stream/);
  assert.match(seen[0].type, /^application\/graphql-response\+json/);
});

test('a mutation is answered as JSON', async () => {
  const { data } = await client.mutation(gql`mutation { rename(name: "x") { name } }`, {}).toPromise();
  assert.equal(data.rename.name, 'x');
});

test('a document that does not fit the schema names its field and its code', async () => {
  const { error } = await client.query(gql`query Wrong { nothingOfTheKind }`, {}).toPromise();
  assert.match(error.message, /nothingOfTheKind/);
  assert.equal(error.graphQLErrors[0].extensions.code, 'BAD_USER_INPUT');
});

test('a short query may travel by GET', async () => {
  const { data } = await client
    .query(gql`query Short { hello(name: "get") }`, {}, { preferGetMethod: 'force' })
    .toPromise();
  assert.equal(data.hello, 'hello get');
});

test('a subscription runs over graphql-ws', async () => {
  const socket = createClient({ url: socketUrl, webSocketImpl: WebSocket, lazy: true });
  const live = new Client({
    url: httpUrl,
    preferGetMethod: false,
    exchanges: [
      subscriptionExchange({
        forwardSubscription: (request) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...request, query: request.query ?? '' }, sink) }),
        }),
      }),
    ],
  });
  const counted = await new Promise((resolve, reject) => {
    const values = [];
    live.subscription(gql`subscription Count { count(to: 3) }`, {}).subscribe(({ data, error }) => {
      if (error) reject(error);
      if (data) values.push(data.count);
      if (values.length === 3) resolve(values);
    });
  });
  assert.deepEqual(counted, [0, 1, 2]);
  await socket.dispose();
});
