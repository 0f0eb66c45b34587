// The 61 audits of the GraphQL over HTTP specification, as graphql-http ships them: every one must be ok.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverAudits } from 'graphql-http';
import { httpUrl } from './server.mjs';

const AUDITS = 61;
const audits = serverAudits({ url: httpUrl });

test('all audits are there', () => assert.equal(audits.length, AUDITS));

for (const audit of audits) {
  test(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    assert.equal(result.status, 'ok', result.reason);
  });
}
