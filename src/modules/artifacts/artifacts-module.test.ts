import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type BlobStore, createLocalBlobStore } from '#platform/blobs';
import { createEventLog } from '#platform/events';
import type { Principal } from '#platform/http';
import { createLogger } from '#platform/log';
import { describeDatabases } from '#platform/testing/database';
import { aPrincipal, openTestServer } from '#platform/testing/http';
import { beginRemoval } from './artifact-store.ts';
import { createArtifactsModule } from './index.ts';

const someone = { actor: 'user:test' };
const hourMs = 3_600_000;
const sha = (text: string) => createHash('sha256').update(text).digest('hex');
const project = 'flights';
const base = '/projects/flights/api/v1/artifacts';

describeDatabases('artifacts', (open) => {
  async function setUp(
    options: { principal?: Principal; wrap?: (blobs: BlobStore) => BlobStore; uploadLimitBytes?: number } = {},
  ) {
    const database = await open();
    // Blobs carry the real time of their files: the clock begins beyond whatever this test writes.
    database.clock.advance(Date.now() + 60_000 - database.clock.nowMs());
    const folder = mkdtempSync(join(tmpdir(), 'artifacts-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const local = createLocalBlobStore(folder);
    const blobs = options.wrap?.(local) ?? local;
    const logger = createLogger({ level: 'silent' });
    const module = createArtifactsModule({ database, blobs, clock: database.clock, logger, ...options });
    const app = await openTestServer({ authenticate: async () => options.principal ?? aPrincipal() });
    module.routes(app);
    const { api } = module;
    return {
      database,
      blobs,
      module,
      api,
      app,
      pass: (hours: number) => database.clock.advance(hours * hourMs),
      collect: async () => (await app.inject({ method: 'POST', url: '/api/v1/artifacts/collect' })).json(),
      upload: (text: string, digest = sha(text)) =>
        app.inject({
          method: 'PUT',
          url: `${base}/${digest}`,
          headers: { 'content-type': 'application/octet-stream' },
          payload: Buffer.from(text),
        }),
      put: (text: string) => blobs.putStream(Readable.from([Buffer.from(text)])),
      retain: (text: string, owner: string, where = project) =>
        database.write(someone, (unit) =>
          api.retain(unit, { project: where, sha256: sha(text), sizeBytes: text.length, owner }),
        ),
      release: (owner: string, text?: string) =>
        database.write(someone, (unit) =>
          api.release(unit, { project, owner, ...(text !== undefined && { sha256: sha(text) }) }),
        ),
      digests: async () => {
        const found: string[] = [];
        for await (const { sha256 } of blobs.list()) found.push(sha256);
        return found;
      },
    };
  }

  test('an upload is read back whole, in ranges and by its head', async () => {
    const { app, upload } = await setUp();
    const text = 'x'.repeat(300_000) + 'end';
    const uploaded = await upload(text);
    expect([uploaded.statusCode, uploaded.json()]).toEqual([201, { sha256: sha(text), sizeBytes: 300_003 }]);
    const url = `${base}/${sha(text)}`;
    const whole = await app.inject(url);
    expect(whole.body).toBe(text);
    expect(whole.headers).toMatchObject({
      'content-length': '300003',
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
      etag: `"${sha(text)}"`,
    });
    const part = await app.inject({ url, headers: { range: 'bytes=-3' } });
    expect([part.statusCode, part.body, part.headers['content-range']]).toEqual([
      206,
      'end',
      'bytes 300000-300002/300003',
    ]);
    const outside = await app.inject({ url, headers: { range: 'bytes=300003-' } });
    expect([outside.statusCode, outside.json().error.code]).toEqual([416, 'ARTIFACT_RANGE_INVALID']);
    const head = await app.inject({ method: 'HEAD', url });
    expect([head.statusCode, head.body, head.headers['content-length']]).toEqual([200, '', '300003']);
    const unchanged = await app.inject({ url, headers: { 'if-none-match': `"${sha(text)}"` } });
    expect(unchanged.statusCode).toBe(304);
  });

  test('bytes with another digest than announced are refused and not kept', async () => {
    const { upload, digests, app } = await setUp();
    const refused = await upload('these bytes', sha('other bytes'));
    expect([refused.statusCode, refused.json().error.code]).toEqual([400, 'BLOB_DIGEST_MISMATCH']);
    expect(await digests()).toEqual([]);
    expect((await app.inject({ method: 'PUT', url: `${base}/..%2f..%2fetc`, payload: '' })).statusCode).toBe(400);
    const empty = await app.inject({ method: 'PUT', url: `${base}/${sha('')}` });
    expect(empty.json()).toEqual({ sha256: sha(''), sizeBytes: 0 });
  });

  test('a digest gives no right to bytes that another project holds', async () => {
    const { app, upload, retain, api, database } = await setUp();
    await upload('private');
    const elsewhere = await app.inject(`/api/v1/artifacts/${sha('private')}`);
    expect([elsewhere.statusCode, elsewhere.json().error.code]).toEqual([404, 'ARTIFACT_NOT_FOUND']);
    await expect(api.assertReadable(database.read, 'default', sha('private'))).rejects.toMatchObject({
      code: 'ARTIFACT_NOT_FOUND',
    });
    await retain('private', 'model:m@1', 'default');
    expect((await app.inject(`/api/v1/artifacts/${sha('private')}`)).body).toBe('private');
  });

  test('an upload beyond the limit is refused by its name, and nothing of it stays', async () => {
    const { upload, digests } = await setUp({ uploadLimitBytes: 10 });
    expect((await upload('0123456789')).statusCode).toBe(201);
    const refused = await upload('0123456789a');
    expect([refused.statusCode, refused.json().error]).toMatchObject([
      413,
      { code: 'BLOB_TOO_LARGE', message: 'the upload is larger than the 10 bytes that are allowed' },
    ]);
    expect(await digests()).toEqual([sha('0123456789')]);
  });

  test('says which digests have to be uploaded', async () => {
    const { app, upload, pass } = await setUp();
    await upload('have');
    const ask = async () =>
      (
        await app.inject({
          method: 'POST',
          url: `${base}/missing`,
          payload: { digests: [sha('want'), sha('have'), sha('more')] },
        })
      ).json().missing;
    expect(await ask()).toEqual([sha('want'), sha('more')]);
    pass(23.5); // the hold of the upload is about to end
    expect(await ask()).toEqual([sha('want'), sha('have'), sha('more')]);
  });

  test('lists who needs what, in pages', async () => {
    const { app, put, retain } = await setUp();
    for (const text of ['a', 'b']) {
      await put(text);
      for (const owner of ['model:m@1', 'job:j']) await retain(text, owner);
    }
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = (await app.inject(`${base}?limit=3${cursor}`)).json();
      seen.push(...page.items.map((item: { sha256: string; owner: string }) => `${item.sha256} ${item.owner}`));
      cursor = page.next === undefined ? '' : `&cursor=${page.next}`;
    } while (cursor !== '');
    expect(seen).toHaveLength(4);
    expect(seen).toEqual(seen.toSorted());
    const owned = (await app.inject(`${base}?owner=job:j`)).json();
    expect(owned.items).toHaveLength(2);
  });

  test('an upload that nothing takes is condemned after a day and removed an hour later', async () => {
    const { upload, collect, pass, digests, app, database } = await setUp();
    await upload('unused');
    expect(await collect()).toMatchObject({ condemned: 0, removed: 0 });
    pass(24);
    expect(await collect()).toMatchObject({ expired: 1, condemned: 1, removed: 0 });
    pass(0.9);
    expect(await collect()).toMatchObject({ removed: 0 });
    expect(await digests()).toEqual([sha('unused')]);
    pass(0.1);
    expect(await collect()).toMatchObject({ removed: 1, removedBytes: 6 });
    expect(await digests()).toEqual([]);
    expect((await app.inject(`${base}/${sha('unused')}`)).statusCode).toBe(404);
    // PostgreSQL shows an event once every transaction that began before it has ended
    await vi.waitFor(async () =>
      expect(await createEventLog(database).list({ types: ['artifact.removed'], limit: 10 })).toMatchObject([
        { project, subject: `artifact:${sha('unused')}`, data: { sizeBytes: 6 } },
      ]),
    );
  });

  test('a collection says what still waits, and until when at least', async () => {
    const { upload, put, retain, release, collect, pass, database } = await setUp();
    const inHours = (hours: number) => new Date(database.clock.nowMs() + hours * hourMs).toISOString();
    expect(await collect()).toMatchObject({ waiting: { artifacts: 0, bytes: 0 } });
    await put('of a run');
    await retain('of a run', 'job:j');
    expect((await collect()).waiting).toEqual({ artifacts: 0, bytes: 0 });
    pass(2);
    // what was put two hours ago, and is let go now
    await release('job:j');
    expect((await collect()).waiting).toEqual({ artifacts: 1, bytes: 8, nextAt: inHours(23) });
    pass(22);
    await upload('other');
    await put('held long');
    await retain('held long', 'job:k');
    const first = inHours(1);
    expect(await collect()).toMatchObject({ condemned: 1, waiting: { artifacts: 1, bytes: 8, nextAt: first } });
    pass(0.5);
    expect((await collect()).waiting.nextAt).toBe(first);
    pass(0.5);
    expect(await collect()).toMatchObject({ removed: 1, removedBytes: 8, waiting: { artifacts: 0, bytes: 0 } });
    pass(23);
    expect(await collect()).toMatchObject({ expired: 1, condemned: 1, waiting: { artifacts: 1, bytes: 5 } });
    pass(1);
    const last = await collect();
    expect([last.removed, last.waiting]).toEqual([1, { artifacts: 0, bytes: 0 }]);
    // held longer than a day: the next collection condemns it
    await release('job:k');
    expect(await collect()).toMatchObject({ condemned: 1, waiting: { artifacts: 1, bytes: 9, nextAt: inHours(1) } });
  });

  test('what something holds stays, whoever else lets it go', async () => {
    const { put, retain, release, collect, pass, digests } = await setUp();
    for (const text of ['shared', 'mine']) await put(text);
    await retain('shared', 'model:m@1');
    await retain('shared', 'job:j');
    await retain('shared', 'model:n@1', 'default');
    await retain('mine', 'job:j');
    await release('job:j');
    pass(25);
    await collect();
    pass(2);
    expect(await collect()).toMatchObject({ removed: 1 });
    expect(await digests()).toEqual([sha('shared')]);
    await release('model:m@1');
    pass(25);
    await collect();
    pass(2);
    expect(await collect()).toMatchObject({ removed: 0 });
    expect(await digests()).toEqual([sha('shared')]);
  });

  test('holding a condemned digest brings it back', async () => {
    const { upload, retain, collect, pass, digests } = await setUp();
    await upload('wanted after all');
    pass(24);
    expect(await collect()).toMatchObject({ condemned: 1 });
    await retain('wanted after all', 'model:m@1');
    pass(48);
    expect(await collect()).toMatchObject({ condemned: 0, removed: 0 });
    expect(await digests()).toEqual([sha('wanted after all')]);
  });

  test('bytes left by a process that died before its unit go too, but not before they are a day old', async () => {
    const { put, collect, pass, digests } = await setUp();
    await put('stray');
    pass(23);
    expect(await collect()).toMatchObject({ adopted: 0 });
    pass(2);
    expect(await collect()).toMatchObject({ adopted: 1, condemned: 1 });
    pass(1);
    expect(await collect()).toMatchObject({ removed: 1 });
    expect(await digests()).toEqual([]);
  });

  test('bytes that were just put again wait for their hold another day', async () => {
    let putMs: number | undefined;
    const { upload, collect, pass, retain, digests, database } = await setUp({
      wrap: (local) => ({
        ...local,
        async *list() {
          for await (const blob of local.list()) yield { ...blob, modifiedMs: putMs ?? blob.modifiedMs };
        },
      }),
    });
    await upload('again');
    pass(24);
    expect(await collect()).toMatchObject({ condemned: 1 });
    pass(1);
    putMs = database.clock.nowMs();
    expect(await collect()).toMatchObject({ removed: 0, condemned: 0 });
    await retain('again', 'model:m@1');
    expect(await digests()).toEqual([sha('again')]);
  });

  test('no hold is taken while the bytes are being removed, and a removal that died is finished', async () => {
    const { upload, retain, collect, pass, digests, database } = await setUp();
    await upload('going');
    pass(24);
    await collect();
    pass(1);
    // The process dies between the mark and the removal.
    await database.write(someone, (unit) => beginRemoval(unit, unit.nowMs, 10));
    await expect(retain('going', 'model:m@1')).rejects.toMatchObject({
      code: 'ARTIFACT_REMOVING',
      kind: 'unavailable',
    });
    expect(await collect()).toMatchObject({ removed: 1 });
    expect(await digests()).toEqual([]);
    expect((await upload('going')).statusCode).toBe(201);
    await retain('going', 'model:m@1');
  });

  test('storing puts the bytes again when a collection takes them in between', async () => {
    let taken = 0;
    const { api, blobs, retain } = await setUp({
      wrap: (local) => ({
        ...local,
        async putStream(source, expected) {
          const info = await local.putStream(source, expected);
          taken += 1;
          if (taken === 1) await local.remove(info.sha256); // what a collection on another server would do
          return info;
        },
      }),
    });
    const info = await api.store(someone, { project, owner: 'model:m@1' }, () => Readable.from([Buffer.from('bytes')]));
    expect([info.sha256, taken]).toEqual([sha('bytes'), 2]);
    expect(await blobs.stat(info.sha256)).toEqual({ sizeBytes: 5 });
    await retain('bytes', 'job:j');
  });

  test('only a writer uploads and only an admin collects', async () => {
    const viewer: Principal = { id: 'user:v', can: (permission) => permission === 'read' };
    const { upload, app } = await setUp({ principal: viewer });
    expect((await upload('x')).statusCode).toBe(403);
    expect((await app.inject({ method: 'POST', url: '/api/v1/artifacts/collect' })).statusCode).toBe(403);
  });

  test('whatever is held, let go and put in any order: nothing held is lost and nothing loose stays', async () => {
    const step = fc.record({
      text: fc.constantFrom('a', 'b', 'c'),
      owner: fc.constantFrom('model:m@1', 'job:j'),
      act: fc.constantFrom('hold', 'hold', 'release', 'collect', 'pass', 'upload'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const world = await setUp();
        const held = new Set<string>();
        for (const { act, text, owner } of steps) {
          if (act === 'hold') {
            await world.put(text);
            await world.retain(text, owner);
            held.add(`${sha(text)} ${owner}`);
          }
          if (act === 'release') {
            await world.release(owner, text);
            held.delete(`${sha(text)} ${owner}`);
          }
          if (act === 'upload') await world.upload(text);
          if (act === 'collect') await world.collect();
          if (act === 'pass') world.pass(13);
          const present = await world.digests();
          for (const one of held) expect(present).toContain(one.split(' ')[0]);
        }
        world.pass(50);
        await world.collect();
        world.pass(2);
        await world.collect();
        expect(new Set(await world.digests())).toEqual(new Set([...held].map((one) => one.split(' ')[0])));
      }),
      { numRuns: 8 },
    );
  }, 60_000);

  test('the server collects by itself and finishes before it stops', async () => {
    const { database, blobs, upload, pass, digests } = await setUp();
    const logger = createLogger({ level: 'silent' });
    const server = createArtifactsModule({ database, blobs, clock: database.clock, logger, collectEveryMs: 5 });
    await upload('unused');
    pass(24);
    await server.start();
    const state = async () =>
      (
        await database.read
          .query<{ artifacts: { state: string } }>()
          .selectFrom('artifacts')
          .select('state')
          .executeTakeFirst()
      )?.state;
    await expect.poll(state).toBe('condemned');
    pass(1);
    await expect.poll(digests).toEqual([]);
    await expect.poll(state).toBeUndefined();
    await server.stop();
  });
});
