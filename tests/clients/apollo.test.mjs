// Apollo Client 4: queries, mutations, errors, persisted queries (its own SHA-256 form), GET for hashed queries, batches.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { BatchHttpLink } from '@apollo/client/link/batch-http';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { httpUrl, token } from './server.mjs';

const headers = { authorization: `Bearer ${token}` };
const client = (link) => new ApolloClient({ link, cache: new InMemoryCache() });
const HELLO = gql`query Hello($name: String! = "Apollo") { hello(name: $name) who }`;

test('a query is answered, with the token’s caller', async () => {
  const { data } = await client(new HttpLink({ uri: httpUrl, headers })).query({ query: HELLO });
  assert.equal(data.hello, 'hello Apollo');
  assert.equal(data.who, token);
});

test('a mutation is answered', async () => {
  const { data } = await client(new HttpLink({ uri: httpUrl, headers })).mutate({
    mutation: gql`mutation Rename($name: String!) { rename(name: $name) { name } }`,
    variables: { name: '角落' },
  });
  assert.equal(data.rename.name, '角落');
});

test('a field that fails leaves the rest, with a code and a request id', async () => {
  const { data, error } = await client(new HttpLink({ uri: httpUrl })).query({
    query: gql`query Partly { hello broken }`,
    errorPolicy: 'all',
  });
  assert.equal(data.hello, 'hello world');
  assert.ok(CombinedGraphQLErrors.is(error));
  assert.equal(error.errors[0].extensions.code, 'INTERNAL');
  assert.match(error.errors[0].extensions.requestId, /^[0-9a-f]{16}$/);
});

test('persisted queries are found by their hash, and registered when they are not', async () => {
  const sent = [];
  const link = ApolloLink.from([
    new PersistedQueryLink({
      sha256: (text) => createHash('sha256').update(text).digest('hex'),
      useGETForHashedQueries: true,
    }),
    new HttpLink({
      uri: httpUrl,
      fetch: (url, options) => {
        sent.push(`${options.method} ${new URL(url).searchParams.has('query') ? 'text' : 'hash'}`);
        return fetch(url, options);
      },
    }),
  ]);
  const query = gql`query Persisted${process.pid} { hello(name: "again") }`;
  for (const round of [1, 2]) {
    const { data } = await client(link).query({ query });
    assert.equal(data.hello, 'hello again', `round ${round}`);
  }
  assert.equal(sent.length, 3, sent.join(', '));
  assert.equal(sent[0], 'GET hash');
  assert.equal(sent[2], 'GET hash');
});

test('operations of one tick travel as one batch', async () => {
  let requests = 0;
  const link = new BatchHttpLink({
    uri: httpUrl,
    batchMax: 5,
    fetch: (url, options) => {
      requests += 1;
      return fetch(url, options);
    },
  });
  const batching = client(link);
  const names = ['a', 'b', 'c'];
  const answers = await Promise.all(names.map((name) => batching.query({ query: HELLO, variables: { name } })));
  assert.deepEqual(answers.map(({ data }) => data.hello), names.map((name) => `hello ${name}`));
  assert.equal(requests, 1);
});

test('a token that cannot be trusted is refused with 401', async () => {
  const link = new HttpLink({ uri: httpUrl, headers: { authorization: 'Bearer forged' } });
  const { error } = await client(link).query({ query: HELLO, errorPolicy: 'all' });
  assert.ok(error);
  const code = CombinedGraphQLErrors.is(error) ? error.errors[0].extensions.code : error.statusCode;
  assert.ok(code === 'UNAUTHENTICATED' || code === 401, String(code));
});
