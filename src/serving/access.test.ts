import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Caller, createAccess } from './access.ts';

const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex');

const requestWith = (token?: string, host = 'prediction.example'): Caller => ({
  headers: { host, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
});

const anEndpoint = (name: string, ...tokens: string[]) => ({
  name,
  spec: { access: { tokens: tokens.map((token) => ({ digest: digestOf(token), principal: `token:${token}` })) } },
});

test('a token ends when the spec says so, without a newer spec', () => {
  let nowMs = 1_000;
  const access = createAccess({ host: '0.0.0.0', allowedHosts: [], clock: { nowMs: () => nowMs } });
  const tokens = [
    { digest: digestOf('brief'), principal: 'token:brief', expiresAtMs: 2_000 },
    { digest: digestOf('lasting'), principal: 'token:lasting' },
  ];
  const check = (token: string) => access.check({ tokens }, requestWith(token));
  nowMs = 1_999;
  expect(check('brief')).toBe('token:brief');
  nowMs = 2_000;
  expect(() => check('brief')).toThrow('the token has ended');
  expect(check('lasting')).toBe('token:lasting');
});

test('only an address of this machine is open without tokens', () => {
  const clock = { nowMs: () => 0 };
  const open = (host: string) =>
    createAccess({ host, allowedHosts: [], clock }).identify({ tokens: [] }, requestWith(undefined, '127.0.0.1')) !==
    undefined;
  expect(['127.0.0.1', '127.9.8.7', '::1', 'localhost'].map(open)).toEqual([true, true, true, true]);
  expect(['0.0.0.0', '::', '127.example.org', '127.0.0.1.example.org'].map(open)).toEqual([false, false, false, false]);
});

test('figures are shown of the endpoints that the caller may call, and to nobody else', () => {
  const clock = { nowMs: () => 0 };
  const endpoints = [anEndpoint('a', 'one', 'both'), anEndpoint('b', 'two', 'both')];
  const names = (host: string, shown: readonly ReturnType<typeof anEndpoint>[], request: Caller) =>
    createAccess({ host, allowedHosts: [], clock })
      .select(shown, request)
      .map(({ name }) => name);
  expect(names('0.0.0.0', endpoints, requestWith('one'))).toEqual(['a']);
  expect(names('0.0.0.0', endpoints, requestWith('both'))).toEqual(['a', 'b']);
  expect(() => names('0.0.0.0', endpoints, requestWith())).toThrow('needs a token');
  expect(() => names('0.0.0.0', [anEndpoint('open')], requestWith())).toThrow('on a loopback address only');
  expect(names('0.0.0.0', [], requestWith())).toEqual([]);
  // open on this machine, but not to a page that points its own name here
  expect(names('127.0.0.1', [anEndpoint('open')], requestWith(undefined, 'localhost:7879'))).toEqual(['open']);
  expect(() => names('127.0.0.1', [anEndpoint('open')], requestWith(undefined, 'evil.example'))).toThrow(
    'evil.example',
  );
});
