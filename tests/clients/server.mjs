// Where the server under test listens, and the token that it takes; given by tests/clients/test_clients.py.
export const httpUrl = required('LAUREL_URL');
export const socketUrl = httpUrl.replace(/^http/, 'ws');
export const token = required('LAUREL_TOKEN');

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run these tests by pytest tests/clients`);
  return value;
}
