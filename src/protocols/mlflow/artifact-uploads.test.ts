import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { useMlflow } from './testing/mlflow-test-client.ts';

const proxy = '/api/2.0/mlflow-artifacts';
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

interface Created {
  readonly upload_id: string;
  readonly credentials: readonly { readonly url: string; readonly part_number: number }[];
}

function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

describeDatabases("MLflow's multipart uploads and signed URLs", (open) => {
  const { createRun, inject, post, send, state, read } = useMlflow(open);

  async function create(path: string, partCount: number): Promise<Created> {
    const folder = path.split('/').slice(0, -1).join('/');
    const { status, body } = await send({
      method: 'POST',
      url: `${proxy}/mpu/create/${folder}`,
      payload: { path: `/home/ann/${path.split('/').at(-1)}`, num_parts: partCount },
    });
    expect(status).toBe(200);
    return body as never;
  }
  const end = (step: 'complete' | 'abort', path: string, payload: object) =>
    send({
      method: 'POST',
      url: `${proxy}/mpu/${step}/${path.split('/').slice(0, -1).join('/')}`,
      payload: { path: path.split('/').at(-1), ...payload },
    });
  const put = async (url: string | undefined, bytes: Uint8Array) => {
    state.principal = { id: 'nobody', can: (permission) => permission === 'public' };
    const answer = await inject({ method: 'PUT', url: pathOf(url ?? ''), payload: Buffer.from(bytes) });
    state.principal = { id: 'user:local', can: () => true };
    return { status: answer.statusCode, etag: answer.headers.etag, body: answer.body };
  };
  const fetchUrl = async (url: string, headers: Record<string, string> = {}) => {
    state.principal = { id: 'nobody', can: (permission) => permission === 'public' };
    const answer = await inject({ method: 'GET', url: pathOf(url), headers });
    state.principal = { id: 'user:local', can: () => true };
    return answer;
  };

  test('parts put in any order without a token become one file; an asked-again completion is answered', async () => {
    const path = '0/run/artifacts/models/weights.bin';
    const { upload_id, credentials } = await create(path, 3);
    expect(credentials.map((one) => one.part_number)).toEqual([1, 2, 3]);
    const bytes = [Buffer.alloc(70_000, 1), Buffer.alloc(70_000, 2), Buffer.from('end')];
    const etags: (string | undefined)[] = [];
    for (const index of [2, 0, 1]) etags[index] = (await put(credentials[index]?.url, bytes[index]!)).etag;
    expect((await send({ method: 'GET', url: `${proxy}/artifacts/${path}` })).status).toBe(404);
    const parts = etags.map((etag, index) => ({ part_number: index + 1, etag, url: credentials[index]?.url }));
    const answers = await Promise.all([1, 2].map(() => end('complete', path, { upload_id, parts })));
    expect(answers).toEqual([
      { status: 200, body: {} },
      { status: 200, body: {} },
    ]);
    const whole = await inject({ method: 'GET', url: `${proxy}/artifacts/${path}` });
    expect(whole.rawPayload.equals(Buffer.concat(bytes))).toBe(true);
    expect(whole.headers.etag).toBe(`"${sha256(Buffer.concat(bytes))}"`);
    expect((await end('complete', path, { upload_id, parts })).status).toBe(200);
    expect((await put(credentials[0]?.url, bytes[0]!)).status).toBe(404); // it is over
    expect((await end('abort', path, { upload_id })).status).toBe(200); // as a client does that missed the answer
    expect((await inject({ method: 'GET', url: `${proxy}/artifacts/${path}` })).statusCode).toBe(200);
  });

  test('a completion that is asked again at any moment of the first is answered as it is', async () => {
    const path = '0/run/artifacts/again.bin';
    for (let round = 0; round < 5; round++) {
      const { upload_id, credentials } = await create(path, 2);
      const parts: object[] = [];
      for (const { url, part_number } of credentials)
        parts.push({ part_number, etag: (await put(url, Buffer.alloc(1_000, part_number + round))).etag });
      const complete = () => end('complete', path, { upload_id, parts });
      let [isOver, underWay] = [false, 0];
      const first = complete().finally(() => (isOver = true));
      const again = [];
      while (!isOver) {
        if (underWay < 8) {
          underWay += 1; // no more of them: the first would wait for connections behind ever more
          again.push(complete().finally(() => (underWay -= 1)));
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      for (const answer of await Promise.all([first, ...again])) expect(answer).toEqual({ status: 200, body: {} });
    }
  });

  test('an upload of no run, as the client 2.9 asks for it, is refused in the words on which it puts the file whole', async () => {
    for (const folder of ['', '/in', '/in/deeper'])
      expect(
        await send({ method: 'POST', url: `${proxy}/mpu/create${folder}`, payload: { path: 'x', num_parts: 2 } }),
      ).toEqual({
        status: 501,
        body: {
          error_code: 'NOT_IMPLEMENTED',
          message: 'Multipart upload is not supported for the current artifact repository',
        },
      });
    await create('team/place/0123/artifacts/x', 2); // of an experiment with a location of its own
  });

  test('a part URL is good for its part of its upload, for its time', async () => {
    const one = await create('0/a/x.bin', 2);
    const other = await create('0/a/x.bin', 2);
    const [first = '', second = ''] = one.credentials.map(({ url }) => url);
    const swaps = [
      first.replace('/1?', '/2?'),
      second.replace('/2?', '/1?'),
      first.replace(one.upload_id, other.upload_id),
      first.replace(/signature=(.)/, (_, sign) => `signature=${sign === '_' ? '-' : '_'}`),
      first.replace(/expires=\d/, 'expires=9'),
      first.replace(/\?.*/, ''),
    ];
    // of a project that there is
    expect((await put(first.replace(/\/projects\/[^/]+/, '/projects/default'), Buffer.from('x'))).status).toBe(403);
    for (const url of swaps) expect([url, (await put(url, Buffer.from('x'))).status]).toEqual([url, 403]);
    expect((await put(first, Buffer.from('x'))).status).toBe(200);
    state.database.clock.advance(3_600_000 + 11_000);
    expect((await put(second, Buffer.from('x'))).status).toBe(403);
    const { body } = await send({ method: 'GET', url: `${proxy}/mpu/uploads/${one.upload_id}` });
    expect(body).toMatchObject({ state: 'open', path: '0/a/x.bin', parts: [{ part_number: 1, size_bytes: 1 }] });
    const [renewed] = (body as never as Created).credentials;
    expect([renewed?.part_number, (await put(renewed?.url, Buffer.from('y'))).status]).toEqual([2, 200]);
  });

  test('completing names every part, as it arrived, in order', async () => {
    const path = '0/a/y.bin';
    const { upload_id, credentials } = await create(path, 2);
    const complete = (parts: object) => end('complete', path, { upload_id, parts });
    const old = (await put(credentials[0]?.url, Buffer.from('old'))).etag;
    const first = { part_number: 1, etag: (await put(credentials[0]?.url, Buffer.from('new'))).etag };
    const refused = async (parts: object, why: RegExp) => {
      const { status, body } = await complete(parts);
      expect([status, body.error_code]).toEqual([400, 'INVALID_PARAMETER_VALUE']);
      expect(body.message).toMatch(why);
    };
    await refused([first, { part_number: 2, etag: '"x"' }], /part 2 has not arrived/);
    const second = { part_number: 2, etag: (await put(credentials[1]?.url, Buffer.from('er'))).etag };
    await refused([first], /announced with 2 parts, and 1 are named/);
    await refused([second, first], /in order/);
    await refused([{ ...first, etag: old }, second], /part 1 has another ETag/);
    await refused([{ ...first, etag: undefined }, second], /part 1 has another ETag/);
    expect((await end('complete', '0/a/z.bin', { upload_id, parts: [first, second] })).status).toBe(400);
    expect((await complete([first, second])).status).toBe(200);
    expect(await read(`${proxy}/artifacts/${path}`)).toBe('newer');
  });

  test('an upload that was ended takes nothing more, and belongs to its project', async () => {
    const path = '0/a/x.bin';
    const { upload_id, credentials } = await create(path, 1);
    const elsewhere = await send({
      method: 'POST',
      url: `/projects/other${proxy}/mpu/abort/0/a`,
      payload: { path: 'x.bin', upload_id },
    });
    expect(elsewhere.status).toBe(404);
    await put(credentials[0]?.url, Buffer.from('x'));
    expect((await end('abort', path, { upload_id })).status).toBe(200);
    expect((await put(credentials[0]?.url, Buffer.from('x'))).status).toBe(404);
    expect((await end('complete', path, { upload_id, parts: [] })).body.error_code).toBe('RESOURCE_DOES_NOT_EXIST');
    for (const num_parts of [0, -1, 10_001])
      expect(
        (await send({ method: 'POST', url: `${proxy}/mpu/create/0/a`, payload: { path: 'x', num_parts } })).status,
      ).toBe(400);
    for (const name of ['..', '/', 'a/..', '..\\..'])
      expect(
        (await send({ method: 'POST', url: `${proxy}/mpu/create/0/a`, payload: { path: name, num_parts: 1 } })).status,
      ).toBe(400);
  });

  test('a file is read in ranges, by its path and by a signed URL', async () => {
    const run_id = await createRun();
    const path = `0/${run_id}/artifacts/n.txt`;
    await send({ method: 'PUT', url: `${proxy}/artifacts/${path}`, payload: Buffer.from('0123456789') });
    const range = { range: 'bytes=2-4' };
    const part = await inject({ method: 'GET', url: `${proxy}/artifacts/${path}`, headers: range });
    expect([part.statusCode, part.body, part.headers['content-range']]).toEqual([206, '234', 'bytes 2-4/10']);
    const beyond = await inject({ method: 'GET', url: `${proxy}/artifacts/${path}`, headers: { range: 'bytes=10-' } });
    expect([beyond.statusCode, beyond.headers['content-range']]).toEqual([416, 'bytes */10']);

    const presigned = await send({ method: 'GET', url: `${proxy}/presigned/${path}` });
    expect(presigned.body).toMatchObject({ file_size: 10, headers: {} });
    const { url } = presigned.body as never as { url: string };
    const signed = await fetchUrl(url, range);
    expect([signed.statusCode, signed.body]).toEqual([206, '234']);
    expect((await fetchUrl(url.replace('n.txt', 'm.txt'))).statusCode).toBe(403);
    const asked = await post('artifacts/presigned-download-url', { run_id, path: 'n.txt', expiration: 60 });
    const { presigned_url } = asked.body as never as { presigned_url: string };
    expect((await fetchUrl(presigned_url)).body).toBe('0123456789');
    state.database.clock.advance(62_000);
    expect((await fetchUrl(presigned_url)).statusCode).toBe(403);
    for (const payload of [
      { run_id, path: 'n.txt', expiration: 0 },
      { run_id, path: 'n.txt', expiration: 604_801 },
      { path: 'n.txt' },
      { run_id },
      { run_id, path: '../n.txt' },
    ])
      expect((await post('artifacts/presigned-download-url', payload)).status).toBe(400);
    expect((await post('artifacts/presigned-download-url', { run_id, path: 'none' })).status).toBe(404);
  });

  test('a file is put by a signed URL, of a run and of a logged model', async () => {
    const run_id = await createRun();
    const made = await post('logged-models', { experiment_id: '0', name: 'm' });
    const { model_id } = (made.body as never as { model: { info: { model_id: string } } }).model.info;
    for (const owner of [{ run_id }, { model_id }]) {
      const { body } = await post('artifacts/presigned-upload-url', { ...owner, path: 'a b/c.txt' });
      const { presigned_url } = body as never as { presigned_url: string };
      expect((await put(presigned_url.replace('c.txt', 'd.txt'), Buffer.from('x'))).status).toBe(403);
      expect((await put(presigned_url, Buffer.from('put'))).status).toBe(200);
      const get = await post('artifacts/presigned-download-url', { ...owner, path: 'a b/c.txt' });
      expect((await fetchUrl((get.body as never as { presigned_url: string }).presigned_url)).body).toBe('put');
      expect((await fetchUrl(presigned_url)).statusCode).toBe(403); // to put is not to read
    }
    const file = await inject({
      method: 'GET',
      url: `/ajax-api/2.0/mlflow/logged-models/${model_id}/artifacts/files?artifact_file_path=a%20b/c.txt`,
    });
    expect(file.body).toBe('put');
  });

  test('pages put files of a run, up to 10 MB', async () => {
    const run_uuid = await createRun();
    const upload = (path: string, bytes: Buffer) =>
      send({
        method: 'POST',
        url: `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${run_uuid}&path=${path}`,
        payload: bytes,
      });
    expect((await upload('note.md', Buffer.from('hello'))).status).toBe(200);
    expect(await read(`/get-artifact?run_id=${run_uuid}&path=note.md`)).toBe('hello');
    expect((await upload('large', Buffer.alloc(10 * 1024 * 1024 + 1))).status).toBe(413);
    expect((await upload('../x', Buffer.from('x'))).status).toBe(400);
    expect((await upload('', Buffer.from('x'))).body.message).toBe('Request must specify path.');
  });

  test('the server says that it takes parts, and that clients read from it in one stream', async () => {
    const { body } = await send({ method: 'GET', url: '/api/3.0/mlflow/server-info' });
    expect(body).toMatchObject({
      multipart_uploads_enabled: true,
      multipart_downloads_enabled: false,
      presigned_upload_run_id_supported: true,
      presigned_upload_model_id_supported: true,
    });
  });

  test('every call that the table of artifacts calls supported has answered', async () => {
    const run_id = await createRun();
    const path = `0/${run_id}/artifacts/x`;
    await send({ method: 'PUT', url: `${proxy}/artifacts/${path}`, payload: Buffer.from('x') });
    await send({ method: 'GET', url: '/api/2.0/mlflow/artifacts/list', query: { run_id } });
    await send({ method: 'GET', url: `${proxy}/artifacts` });
    await send({ method: 'DELETE', url: `${proxy}/artifacts/${path}`, payload: {} });
    const { body } = await post('logged-models', { experiment_id: '0', name: 'n' });
    const { model_id } = (body as never as { model: { info: { model_id: string } } }).model.info;
    await send({ method: 'GET', url: `/api/2.0/mlflow/logged-models/${model_id}/artifacts/directories` });
    expect(state.server.unanswered('artifacts')).toEqual([]);
  });
});
