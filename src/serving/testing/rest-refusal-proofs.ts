import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { bytesOf } from './binary-request.ts';
import { aWhile, column, picked, row, turns, types, x } from './rest-bodies.ts';
import { maxBodyBytes, type RestPlane, refused, refusedBinary } from './rest-plane.ts';
import { aHome, startTestPlane } from './test-plane.ts';

const headerOf = (size: unknown, more = {}) => ({
  inputs: [{ name: 'index', shape: [1], datatype: 'INT64', parameters: { binary_data_size: size }, ...more }],
});

/** Every row of the table of failures. */
export const refusalProofs = (rest: RestPlane): Readonly<Record<string, () => Promise<void>>> => ({
  'an unknown model or version: 404': async () => {
    await refused(rest.infer('nope', picked(1)), 404, 'serves no model "nope"');
    await refused(rest.call('/v2/models/nope/ready'), 404, 'nope');
    await refused(rest.infer('gather/versions/9', picked(1)), 404, 'no version "9"');
    await refused(rest.call('/v2/models/gather/versions/9/stats'), 404, 'no version "9"');
  },
  'a model that is being loaded, or failed to: 503 with Retry-After': async () => {
    for (const name of ['held', 'broken'])
      for (const path of ['infer', 'ready']) {
        const { status, headers } = await rest.call(
          `/v2/models/${name}/${path}`,
          path === 'infer' ? x([1], [1]) : undefined,
        );
        expect([name, path, status, headers.get('retry-after')]).toEqual([name, path, 503, '1']);
      }
    await refused(rest.infer('waiting', picked(1)), 404, 'no version to answer with yet');
  },
  'malformed JSON, a wrong JSON type, no inputs, texts or null in FP32: 400': async () => {
    await refused(rest.infer('bc', '{"inputs": ['), 400, 'byte 12');
    await refused(rest.infer('bc', '[]'), 400, 'expected');
    await refused(rest.infer('bc', { inputs: 3 }), 400, 'expected');
    await refused(rest.infer('bc', {}), 400, '"inputs"');
    await refused(rest.infer('bc', x([1, 30], ['a', ...row.slice(1)])), 400, 'a number');
    await refused(rest.infer('bc', x([1, 30], [null, ...row.slice(1)])), 400, 'null');
  },
  'a shape unlike the length of the data: 400': () => refused(rest.infer('bc', x([2, 30], row)), 400, '60 values'),
  'a wrong number of columns: 400': () => refused(rest.infer('bc', x([1, 29], row.slice(1))), 400, '[-1, 30]'),
  'a wrong datatype or name of an input: 400': async () => {
    await refused(rest.infer('bc', x([1, 30], row, { datatype: 'FP64' })), 400, 'FP32');
    await refused(rest.infer('bc', x([1, 30], row, { name: 'y' })), 400, '"x" is missing');
  },
  'a negative dimension: 400': () => refused(rest.infer('bc', x([-1, 30], row)), 400, 'natural'),
  'an integer past its datatype: 400': async () => {
    for (const [name, value] of [
      ['UINT8', 300],
      ['INT32', 2 ** 40],
      ['INT8', -129],
    ] as const)
      await refused(rest.infer('types', types(column(name, name, [value, 1]))), 400, name);
  },
  'a shape of 2^45 values: 400': async () => {
    await refused(rest.infer('bc', x([2 ** 40, 30], row)), 400, 'more values than the body');
    const header = {
      inputs: [{ name: 'x', shape: [2 ** 40, 30], datatype: 'FP32', parameters: { binary_data_size: 4 } }],
    };
    await refusedBinary(rest.inferBinary('bc', header, Buffer.alloc(4)), 'more values than the body');
  },
  'binary data unlike their shape, bytes left over, a header past the end or no number: 400': async () => {
    await refusedBinary(rest.inferBinary('gather', headerOf(4), Buffer.alloc(4)), 'takes 8');
    await refusedBinary(rest.inferBinary('gather', headerOf(8), Buffer.alloc(4)), '4 bytes of the body are left');
    await refusedBinary(rest.inferBinary('gather', headerOf(8), Buffer.alloc(9)), '1 bytes behind');
    await refusedBinary(rest.inferBinary('gather', headerOf(-8), Buffer.alloc(8)), 'natural');
    await refusedBinary(rest.inferBinary('gather', headerOf(8, { data: [1] }), Buffer.alloc(8)), 'both');
    await refused(rest.infer('gather', headerOf(8)), 400, 'Inference-Header-Content-Length');
    for (const length of ['9999', '-1', 'x', '1e2', ''])
      await refused(
        rest.infer('gather', picked(1), { 'inference-header-content-length': length }),
        400,
        'Inference-Header',
      );
    await refused(rest.infer('gather', picked(1), { 'inference-header-content-length': '3' }), 400, 'expected');
    const flags = { name: 'BOOL', datatype: 'BOOL', shape: [1, 2], parameters: { binary_data_size: 2 } };
    await refusedBinary(rest.inferBinary('types', types(flags), Uint8Array.of(1, 2)), 'a byte is 0 or 1');
    for (const chunk of [bytesOf('a'), bytesOf('a', 'b', 'c'), Buffer.from([255, 255, 255, 255, 0, 0, 0, 0])]) {
      const input = { name: 'BYTES', datatype: 'BYTES', shape: [1, 2], parameters: { binary_data_size: chunk.length } };
      await refusedBinary(rest.inferBinary('types', types(input), chunk), 'not 2 BYTES values');
    }
  },
  'a load of a model that is not there: 404': () =>
    refused(rest.call('/v2/repository/models/nope/load', {}), 404, 'serves no model "nope"'),
  'a wrong path: 404, a wrong method: 405': async () => {
    for (const path of ['/v2/nope', '/v2/models', '/v2/models/m/versions', '/v2/models/%', '/projects/p/metrics', '/x'])
      await refused(rest.call(path), 404, 'nothing at');
    for (const [path, method, takes] of [
      ['/v2/models/m/infer', 'GET', 'POST'],
      ['/v2/models/m', 'DELETE', 'GET'],
      ['/v2/logging', 'PUT', 'GET, POST'],
    ] as const) {
      const { status, headers, json } = await rest.call(path, undefined, {}, method);
      expect([status, headers.get('allow'), json]).toEqual([405, takes, { error: `this path takes ${takes}` }]);
    }
  },
  'a body over the limit, as it is or unpacked: 413': async () => {
    const padded = JSON.stringify(picked(1)).padEnd(201);
    await refused(rest.infer('small', padded), 413, '200 bytes');
    expect((await rest.infer('small', padded.slice(0, 200))).status).toBe(200);
    await refused(rest.infer('gather', padded.padEnd(maxBodyBytes + 1)), 413, String(maxBodyBytes));
    const bomb = gzipSync(Buffer.alloc(40_000_000, ' '));
    expect(bomb.length).toBeLessThan(maxBodyBytes);
    await refused(rest.infer('gather', bomb, { 'content-encoding': 'gzip' }), 413, String(maxBodyBytes));
  },
  'a full queue, a server that stops: 503 with Retry-After': async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => rest.infer('crowded', aWhile)));
    const statuses = answers.map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 503]));
    expect(answers.find(({ status }) => status === 503)?.headers.get('retry-after')).toBe('1');
    await stopsInOrder(rest);
  },
  'more requests than a caller may send: 429 with Retry-After': async () => {
    const answers = await Promise.all(Array.from({ length: 3 }, () => rest.infer('rated', picked(1))));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 429, 429]);
    const refusal = answers.find(({ status }) => status === 429);
    expect(refusal?.json).toEqual({ error: expect.stringContaining('limit') });
    expect(Number(refusal?.headers.get('retry-after'))).toBeGreaterThan(900);
  },
  'a request that waited too long for its model: 504': async () => {
    const answers = await Promise.all(Array.from({ length: 4 }, () => rest.infer('hasty', aWhile)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 504]));
    const own = await Promise.all([
      rest.infer('patient', aWhile),
      rest.infer('patient', { ...aWhile, parameters: { timeout: 1 } }),
    ]);
    expect(own.map(({ status }) => status)).toEqual([200, 504]);
  },
  'a model that fails: 500 without a stack': async () => {
    const { status, json, text } = await rest.infer('gather', picked(9));
    expect([status, json]).toEqual([500, { error: expect.stringContaining('the model failed') }]);
    expect(text).not.toMatch(/\bat .*:\d+/);
  },
  'no token, a wrong one, one that has ended: 401': async () => {
    const path = '/projects/closed/v2/models/gather/infer';
    await refused(rest.call(path, picked(1)), 401, 'needs a token');
    await refused(rest.call(path, picked(1), { authorization: 'Bearer wrong' }), 401, 'not one that');
    await refused(rest.call(path, picked(1), { authorization: 'Bearer ended' }), 401, 'has ended');
    expect((await rest.call(path, picked(1), { authorization: 'Bearer right' })).status).toBe(200);
  },
});

/** What is under way is answered while it stops, and what comes on the same connection meanwhile is refused. */
async function stopsInOrder({ control }: RestPlane): Promise<void> {
  const stopping = await startTestPlane(control, aHome(), { replica: 'r2' });
  await control.reported(
    ({ replica, endpoints }) =>
      replica === 'r2' && endpoints.some(({ name, state }) => name === 'crowded' && state === 'ready'),
  );
  const text = JSON.stringify(turns(20_000)); // it is still under way when the second comes
  const post = `POST /v2/models/crowded/infer HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
  const received: string[] = [];
  const socket = connect(Number(new URL(stopping.url).port), '127.0.0.1');
  const ended = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.on('data', (chunk) => received.push(chunk.toString()));
  socket.write(post);
  await started(stopping.url);
  const stopped = stopping.stop();
  socket.write(post);
  await Promise.all([stopped, ended]);
  const statuses = [...received.join('').matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  expect(statuses).toEqual(['200', '503']);
}

/** Resolves when a request is under way at the model that takes a while. */
async function started(url: string): Promise<void> {
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text();
    if (/requests_total\{[^}]*endpoint="crowded"[^}]*role="primary"\} 1/.test(text)) return;
  }
}
