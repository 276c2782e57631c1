import { createHash } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createAccess } from './access.ts';

const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex');

function requestWith(token: string): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.headers = { authorization: `Bearer ${token}` };
  return request;
}

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
