import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createLocalBlobStore } from '#platform/blobs';
import { openTestDatabase } from '#platform/testing/database';
import { talkTo } from '#platform/testing/raw-connection';
import { createMlflowTestServer } from './mlflow-test-server.ts';

const artifacts = '/api/2.0/mlflow-artifacts/artifacts';

async function setUp(bounds: { uploadLimitBytes?: number; uploadIdleMs?: number } = {}) {
  const database = await openTestDatabase();
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-edges-'));
  const { app } = await createMlflowTestServer({
    database,
    clock: database.clock,
    ids: database.ids,
    blobs: createLocalBlobStore(folder),
    ...bounds,
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  onTestFinished(async () => {
    await app.close();
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    folder,
    port,
    url,
    /** A connection of one's own, on which anything can be said. */
    talk: () => talkTo(port),
    put: (path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
      fetch(`${url}${artifacts}/${path}`, { method: 'PUT', body, headers }),
    get: (path: string) => fetch(`${url}${artifacts}/${path}`),
    /** URLs of the parts of a new upload. */
    begin: async (path: string, partCount: number): Promise<readonly string[]> => {
      const created = await fetch(`${url}/api/2.0/mlflow-artifacts/mpu/create/${path.replace(/\/[^/]+$/, '')}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ path: path.split('/').at(-1), num_parts: partCount }),
      });
      const { credentials } = (await created.json()) as { readonly credentials: readonly { readonly url: string }[] };
      return credentials.map((one) => one.url);
    },
    /** Files that hold bytes, wherever in the store. */
    files: () =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name),
  };
}

describe('the edge of the artifact routes', () => {
  test('no path leaves the folder, however it is written, for any method', async () => {
    const { talk, files } = await setUp();
    const places = [
      '../x',
      'a/../../x',
      '..%2fx',
      '%2e%2e/x',
      '%2E%2E%2Fx',
      '.%2e/x',
      '%252e%252e/x',
      '%252e%252e%252fx',
      '%25252e%25252e%25252fx',
      '%2fetc%2fpasswd',
      '/etc/passwd',
      'a%00b',
      'a%2500b',
      '..%5cx',
      'a%5c..%5c..%5cx',
      'C:%5cwindows',
    ];
    for (const method of ['PUT', 'GET', 'DELETE'])
      for (const place of places) {
        const { status } = await talk().ask(`${method} ${artifacts}/${place} HTTP/1.1`, method === 'PUT' ? 'x' : '');
        expect([method, place, status]).toEqual([method, place, expect.toBeOneOf([400, 404])]);
      }
    for (const query of [
      'path=..',
      'path=../..',
      'path=%2e%2e',
      'path=%252e%252e',
      'path=/etc',
      'path=a%00',
      'path=..%5c',
    ])
      expect([query, (await talk().ask(`GET ${artifacts}?${query} HTTP/1.1`)).status]).toEqual([query, 400]);
    expect(files()).toEqual([]);
  });

  test('a long row of slashes in a path or an address costs no more than any other text', async () => {
    const { url } = await setUp();
    const row = `${'/'.repeat(400_000)}x`;
    const post = (call: string, body: object) =>
      fetch(`${url}/api/2.0/${call}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const began = performance.now();
    const made = await post('mlflow/experiments/create', { name: 'a', artifact_location: `mlflow-artifacts:${row}` });
    const { experiment_id } = (await made.json()) as { experiment_id: string };
    const { run } = (await (await post('mlflow/runs/create', { experiment_id })).json()) as {
      run: { info: { run_id: string } };
    };
    const list = await fetch(`${url}/api/2.0/mlflow/artifacts/list?run_id=${run.info.run_id}`);
    expect([made.status, list.status]).toEqual([200, 200]);
    const asked = await fetch(`${url}${artifacts}?path=a${'/'.repeat(4_000)}b`);
    expect(asked.status).toBe(200);
    const upload = await post(`mlflow-artifacts/mpu/create/a${'/'.repeat(4_000)}b`, { path: 'x', num_parts: 1 });
    expect(upload.status).toBeLessThan(502);
    expect(performance.now() - began).toBeLessThan(5_000); // the square takes minutes
  });

  test('a link in the place of a blob is not followed, and is replaced when the bytes are put again', async () => {
    const { folder, put, get, files } = await setUp();
    await put('0/a.txt', 'mine');
    const [digest = ''] = files();
    const path = join(folder, digest.slice(0, 2), digest.slice(2, 4), digest);
    const secret = join(folder, 'secret');
    writeFileSync(secret, 'not yours');
    unlinkSync(path);
    symlinkSync(secret, path);
    expect(await (await get('0/a.txt')).text()).not.toContain('not yours');
    expect((await get('0/a.txt')).status).toBe(404);
    expect((await put('0/b.txt', 'mine')).status).toBe(200);
    expect(await (await get('0/a.txt')).text()).toBe('mine');
    unlinkSync(path);
    mkdirSync(path);
    expect((await get('0/a.txt')).status).toBe(404);
  });

  test('a body that is shorter than announced is not stored', async () => {
    const { talk, files, get } = await setUp();
    const socket = talk();
    socket.send(`PUT ${artifacts}/0/short HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nonly this`);
    socket.end();
    await socket.closed;
    expect((await get('0/short')).status).toBe(404);
    await expect.poll(files).toEqual([]);
  });

  test('what follows a body is the next request, and two ways to say its length are refused', async () => {
    const { talk, get, files } = await setUp();
    const head = `PUT ${artifacts}/0/smuggled HTTP/1.1\r\nHost: localhost\r\n`;
    for (const lengths of [
      'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n',
      'Transfer-Encoding: chunked\r\nContent-Length: 3\r\n',
      'Content-Length: 3\r\nContent-Length: 5\r\n',
      'Content-Length: 3, 5\r\n',
      'Content-Length: +3\r\n',
      'Content-Length: -1\r\n',
      'Transfer-Encoding: chunked, identity\r\n',
      'Transfer-Encoding: xchunked\r\n',
    ]) {
      const socket = talk();
      socket.send(`${head}${lengths}\r\n3\r\nabc\r\n0\r\n\r\n`);
      const { status } = await socket.answer();
      expect([lengths, status]).toEqual([lengths, expect.toBeOneOf([400, 501])]);
    }
    expect((await get('0/smuggled')).status).toBe(404);
    const socket = talk();
    socket.send(
      `PUT ${artifacts}/0/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabcGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    );
    expect([(await socket.answer()).status, (await socket.answer()).body]).toEqual([200, 'OK']);
    expect(files()).toHaveLength(1);
  });

  test('a body that is compressed is kept as it came: nothing is unpacked', async () => {
    const { put, get } = await setUp({ uploadLimitBytes: 100_000 });
    const bomb = gzipSync(Buffer.alloc(50_000_000)); // a thousand times its size
    expect(bomb.length).toBeLessThan(100_000);
    expect((await put('0/bomb.gz', new Uint8Array(bomb), { 'content-encoding': 'gzip' })).status).toBe(200);
    const answer = await get('0/bomb.gz');
    expect(answer.headers.get('content-encoding')).toBeNull();
    expect(Buffer.from(await answer.arrayBuffer()).equals(bomb)).toBe(true);
  });

  test('a body that is too large is answered 413; the connection goes on when little of it is left', async () => {
    const { talk, files } = await setUp({ uploadLimitBytes: 10_000 });
    const socket = talk();
    // announced, then not announced; each time the rest is less than 1 MiB
    socket.send(putLarge('Content-Length: 500000'));
    socket.send(Buffer.alloc(500_000));
    expect((await socket.answer()).status).toBe(413);
    socket.send(putLarge('Transfer-Encoding: chunked'));
    for (let n = 0; n < 5; n += 1) socket.send(`${(50_000).toString(16)}\r\n${'x'.repeat(50_000)}\r\n`);
    socket.send('0\r\n\r\n');
    expect((await socket.answer()).status).toBe(413);
    expect((await socket.ask('GET /health HTTP/1.1')).body).toBe('OK');
    await expect.poll(files).toEqual([]);
    // more than that: an answer, and the end
    const endless = talk();
    endless.send(putLarge('Content-Length: 100000000000'));
    const { status, body } = await endless.answer();
    expect([status, JSON.parse(body)]).toMatchObject([413, { error_code: 'INVALID_PARAMETER_VALUE' }]);
    await endless.closed;
  });

  test('a body that does not come holds nobody up and is ended', async () => {
    const { talk, put, files } = await setUp({ uploadIdleMs: 400 });
    const slow = Array.from({ length: 20 }, (_, n) => {
      const socket = talk();
      socket.send(`PUT ${artifacts}/0/slow-${n} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nfirst`);
      return socket;
    });
    // a byte now and then does not keep it alive
    const drip = talk();
    drip.send(`PUT ${artifacts}/0/drip HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n`);
    const dripping = setInterval(() => drip.send('x'), 50);
    onTestFinished(() => clearInterval(dripping));
    expect((await put('0/quick', 'x')).status).toBe(200);
    const answers = await Promise.all([...slow, drip].map((socket) => socket.answer()));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([408]));
    await Promise.all([...slow, drip].map((socket) => socket.closed));
    await expect.poll(files).toHaveLength(1);
  });

  test('the limit holds for all parts of an upload together', async () => {
    const { begin, files } = await setUp({ uploadLimitBytes: 10_000 });
    const parts = await begin('0/a/artifacts/x', 3);
    const statuses: number[] = [];
    for (const part of parts) statuses.push((await putPart(part, 'x'.repeat(4_000))).status);
    expect(statuses).toEqual([200, 200, 413]);
    expect(files().filter((name) => name.startsWith('3-'))).toEqual([]);
    // one that is put again takes the room of its former self
    expect((await putPart(parts[0], 'y'.repeat(6_000))).status).toBe(200);
    expect((await putPart(parts[0], 'y'.repeat(6_001))).status).toBe(413);
  });

  test('parts that arrive at once share what the limit leaves, whether their size is announced or not', async () => {
    const { begin, talk } = await setUp({ uploadLimitBytes: 10_000 });
    for (const length of ['Content-Length: 6000', 'Transfer-Encoding: chunked']) {
      const parts = await begin('0/a/artifacts/x', 2);
      const senders = parts.map((part) => {
        const { pathname, search } = new URL(part);
        const sender = talk();
        sender.send(`PUT ${pathname}${search} HTTP/1.1\r\nHost: localhost\r\n${length}\r\n\r\n`);
        return sender;
      });
      for (const half of ['first', 'second'])
        for (const sender of senders) {
          const bytes = 'x'.repeat(3_000);
          if (length.startsWith('Content')) sender.send(bytes);
          else sender.send(`bb8\r\n${bytes}\r\n${half === 'second' ? '0\r\n\r\n' : ''}`);
        }
      const statuses = await Promise.all(senders.map(async (sender) => (await sender.answer()).status));
      expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 413]);
    }
  });

  test('of a part that is put again and again only the last version is kept', async () => {
    const { begin, files } = await setUp();
    const [first] = await begin('0/a/artifacts/x', 2);
    for (const text of ['a', 'b', 'c', 'd', 'e']) expect((await putPart(first, text.repeat(5_000))).status).toBe(200);
    // one in its place, one apart
    expect(files().filter((name) => /^1-[0-9a-f]{8}-/.test(name))).toHaveLength(2);
    for (const text of ['f', 'g']) expect((await putPart(first, text.repeat(4_000))).status).toBe(200);
    expect(files().filter((name) => /^1-[0-9a-f]{8}-/.test(name))).toHaveLength(2);
  });
});

const putPart = (url: string | undefined, body: string) => fetch(url ?? '', { method: 'PUT', body });
const putLarge = (length: string) => `PUT ${artifacts}/0/large HTTP/1.1\r\nHost: localhost\r\n${length}\r\n\r\n`;
