import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createControlPlane } from '../src/app/control-plane.ts';
import { openPlatform } from '../src/app/platform.ts';
import { loadConfig } from '../src/platform/config.ts';
import { createLogger } from '../src/platform/log.ts';
import { findOrStartS3 } from '../src/platform/testing/s3-server.ts';
import { type RunningPair, startPair } from './support/running-server.ts';

const testTimeoutMs = 300_000;
const hourMs = 3_600_000;
const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const api = '/api/2.0/mlflow';
const proxy = '/api/2.0/mlflow-artifacts';

/** Answers the JSON of a 200; undefined when there was none, whatever the reason. */
async function call(url: string, method = 'GET', body?: object | Uint8Array<ArrayBuffer>) {
  const json = body !== undefined && !(body instanceof Uint8Array);
  try {
    const answer = await fetch(url, {
      method,
      ...(body !== undefined && { body: json ? JSON.stringify(body) : body }),
      ...(json && { headers: { 'content-type': 'application/json' } }),
    });
    const text = await answer.text();
    if (answer.status >= 400 && answer.status < 500) throw new TypeError(`${method} ${url}: ${answer.status} ${text}`);
    return answer.ok ? { value: JSON.parse(text || '{}') as never, etag: answer.headers.get('etag') } : undefined;
  } catch (error) {
    if (error instanceof TypeError && /: 4\d\d /.test(error.message)) throw error;
    return undefined; // it was cut
  }
}

interface Upload {
  readonly path: string;
  readonly id: string;
  readonly bytes: readonly Uint8Array<ArrayBuffer>[];
  readonly etags: (string | null)[];
}

/** What clients sent until the server died, and what of it was answered. */
interface Story {
  /** Of all rounds: they log to one run. */
  readonly steps: { readonly sent: Set<number>; readonly answered: Set<number> };
  readonly files: Map<string, { readonly sha256: string; answered: boolean }>;
  /** Of those that were cut, with the parts that were answered. */
  readonly cut: Upload[];
}

async function logUntilCut(base: string, runId: string, story: Story, first: number): Promise<void> {
  for (let step = first; ; step += 1) {
    story.steps.sent.add(step);
    const timestamp = 1_000 + step;
    const metrics = ['a', 'b', 'c'].map((key) => ({ key, value: step, timestamp, step }));
    if ((await call(`${base}${api}/runs/log-batch`, 'POST', { run_id: runId, metrics })) === undefined) return;
    story.steps.answered.add(step);
  }
}

async function putUntilCut(base: string, folder: string, story: Story, name: string): Promise<void> {
  for (let n = 0; ; n += 1) {
    const bytes = new Uint8Array(randomBytes(50_000));
    const file = { sha256: digestOf(bytes), answered: false };
    const path = `${folder}/${name}-${n}`;
    story.files.set(path, file);
    if ((await call(`${base}${proxy}/artifacts/${path}`, 'PUT', bytes)) === undefined) return;
    file.answered = true;
  }
}

async function uploadUntilCut(base: string, folder: string, story: Story, name: string): Promise<void> {
  for (let n = 0; ; n += 1) {
    const bytes = [60_000, 60_000, 9].map((size) => new Uint8Array(randomBytes(size)));
    const path = `${folder}/${name}-${n}`;
    const created = await call(`${base}${proxy}/mpu/create/${folder}`, 'POST', {
      path: `${name}-${n}`,
      num_parts: bytes.length,
    });
    if (created === undefined) return;
    const { upload_id: id, credentials } = created.value as {
      readonly upload_id: string;
      readonly credentials: readonly { readonly url: string }[];
    };
    const upload: Upload = { path, id, bytes, etags: [] };
    const put = await Promise.all(credentials.map(({ url }, index) => call(url, 'PUT', bytes[index])));
    upload.etags.push(...put.map((answer) => answer?.etag ?? null));
    const file = { sha256: digestOf(Buffer.concat(bytes)), answered: false };
    const whole = put.every((answer) => answer !== undefined);
    if (whole) story.files.set(path, file);
    if (!whole || (await complete(base, upload)) === undefined) return void story.cut.push(upload);
    file.answered = true;
  }
}

const complete = (base: string, { path, id, etags }: Upload) =>
  call(`${base}${proxy}/mpu/complete/${path.split('/').slice(0, -1).join('/')}`, 'POST', {
    path: path.split('/').at(-1),
    upload_id: id,
    parts: etags.map((etag, index) => ({ part_number: index + 1, etag })),
  });

/** An upload that has sent a part of its body and never sends the rest. */
async function sendHalf(url: string): Promise<void> {
  const sending = request(url, { method: 'PUT', headers: { 'content-length': 20_000_000 } });
  sending.on('error', () => undefined); // it is cut
  await new Promise<void>((resolve) => sending.write(randomBytes(1_000_000), () => resolve()));
}

/** Everything answered is there, once; of the rest each is there or not. */
async function verify(base: string, runId: string, folder: string, story: Story): Promise<void> {
  for (const key of ['a', 'b', 'c']) {
    const answer = await call(`${base}${api}/metrics/get-history?run_id=${runId}&metric_key=${key}`);
    const { metrics = [] } = (answer?.value ?? {}) as { readonly metrics?: { step: number; value: number }[] };
    const steps = metrics.map(({ step }) => step);
    expect(new Set(steps).size).toBe(steps.length);
    expect([...story.steps.answered].filter((step) => !steps.includes(step))).toEqual([]);
    expect(steps.filter((step) => !story.steps.sent.has(step))).toEqual([]);
  }
  for (const [path, file] of story.files) {
    const answer = await fetch(`${base}${proxy}/artifacts/${path}`);
    const sha256 = digestOf(new Uint8Array(await answer.arrayBuffer()));
    const there = file.answered || answer.ok;
    expect([path, answer.status, there ? sha256 : '']).toEqual([path, there ? 200 : 404, there ? file.sha256 : '']);
  }
  const listed = await call(`${base}${proxy}/artifacts?path=${folder}`);
  const { files = [] } = (listed?.value ?? {}) as { readonly files?: { path: string }[] };
  expect(new Set(files.map(({ path }) => path)).size).toBe(files.length);
}

/** An upload that was cut goes on from the parts that were answered. */
async function goOn(base: string, upload: Upload): Promise<void> {
  const found = await call(`${base}${proxy}/mpu/uploads/${upload.id}`);
  const { state, parts, credentials } = (found?.value ?? {}) as never as {
    readonly state: string;
    readonly parts: readonly { readonly part_number: number; readonly etag: string }[];
    readonly credentials: readonly { readonly url: string; readonly part_number: number }[];
  };
  if (state === 'completed') return; // the answer was lost
  const etags = upload.bytes.map((_, index) => parts.find((part) => part.part_number === index + 1)?.etag ?? null);
  for (const [index, etag] of upload.etags.entries()) if (etag !== null) expect(etags[index]).toBe(etag);
  for (const { url, part_number: number } of credentials)
    etags[number - 1] = (await call(url, 'PUT', upload.bytes[number - 1]))?.etag ?? null;
  expect(await complete(base, { ...upload, etags })).toBeDefined();
  const whole = await fetch(`${base}${proxy}/artifacts/${upload.path}`);
  expect(digestOf(new Uint8Array(await whole.arrayBuffer()))).toBe(digestOf(Buffer.concat(upload.bytes)));
}

/** Three collections on a control plane whose clock is up to 26 hours on; `look` sees it afterwards. */
async function collectLater(pair: RunningPair, flags: Readonly<Record<string, string>>): Promise<void> {
  let nowMs = Date.now() + 24 * hourMs + 60_000;
  const config = loadConfig({ flags: { home: pair.home, port: '0', servingPort: '0', ...flags }, environment: {} });
  const logger = createLogger({ level: 'error', destination: { file: join(pair.home, 'later.log') } });
  const platform = await openPlatform({ config, version: '0', logger, clock: { nowMs: () => nowMs } });
  const control = await createControlPlane(platform);
  for (const hours of [0, 1.02, 0.9]) {
    nowMs += hours * hourMs;
    const { statusCode } = await control.app.inject({ method: 'POST', url: '/api/v1/artifacts/collect' });
    expect(statusCode).toBe(200);
  }
  await control.stop();
}

function heldDigests(home: string): readonly string[] {
  const database = new Sqlite(join(home, 'tidemill.db'), { readonly: true });
  try {
    return database.prepare('select distinct sha256 from artifact_holds order by sha256').pluck().all() as string[];
  } finally {
    database.close();
  }
}

const filesBelow = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('.sgwtmp'))
    .map((entry) => entry.name)
    .toSorted();

async function tellStory(pair: RunningPair): Promise<{ readonly runId: string; readonly stories: readonly Story[] }> {
  const created = await call(`${pair.url()}${api}/runs/create`, 'POST', { experiment_id: '0', start_time: 1 });
  const { run } = (created?.value ?? {}) as never as { run: { info: { run_id: string } } };
  const runId = run.info.run_id;
  const folder = `0/${runId}/artifacts`;
  const stories: Story[] = [];
  const steps: Story['steps'] = { sent: new Set(), answered: new Set() };
  for (const [round, afterMs] of [40, 170].entries()) {
    const story: Story = { steps, files: new Map(), cut: [] };
    stories.push(story);
    const base = pair.url();
    const clients = Promise.all([
      logUntilCut(base, runId, story, round * 1_000_000),
      ...[0, 1].map((n) => putUntilCut(base, folder, story, `file-${round}-${n}`)),
      ...[0, 1].map((n) => uploadUntilCut(base, folder, story, `parts-${round}-${n}`)),
    ]);
    await sendHalf(`${base}${proxy}/artifacts/${folder}/half-${round}`);
    const answered = () => [...story.files].filter(([path, file]) => file.answered && path.includes('parts')).length;
    await expect.poll(answered, { timeout: 60_000, interval: 5 }).toBeGreaterThan(3);
    await delay(afterMs); // the moment of death is a different one each time
    await pair.killControlPlane();
    await clients;
    await pair.up();
    await verify(pair.url(), runId, folder, story);
    const [resumed] = story.cut; // the others are left behind
    if (resumed !== undefined) await goOn(pair.url(), resumed);
  }
  return { runId, stories };
}

describe('kill -9 during log-batch, uploads and multipart uploads', () => {
  test(
    'keeps what was answered, once; a day later the folder holds what is used and nothing else',
    async () => {
      const pair = await startPair();
      const { runId, stories } = await tellStory(pair);
      await pair.stop();
      const blobs = join(pair.home, 'blobs');
      expect(filesBelow(blobs).length).toBeGreaterThan(heldDigests(pair.home).length); // orphans were left
      await collectLater(pair, {});
      expect(filesBelow(blobs)).toEqual(heldDigests(pair.home));
      await pair.up();
      for (const story of stories) await verify(pair.url(), runId, `0/${runId}/artifacts`, story);
    },
    testTimeoutMs,
  );

  test(
    'does the same on S3',
    async () => {
      const server = await findOrStartS3();
      const bucket = server.newBucket();
      const pair = await startPair(['--blobs', `${bucket}/prod`], server.environment);
      const { runId, stories } = await tellStory(pair);
      await pair.stop();
      const folder = join(server.folder, bucket.slice('s3://'.length));
      const before = { ...process.env };
      Object.assign(process.env, server.environment); // this process collects, and the SDK reads its credentials there
      onTestFinished(() => {
        for (const name of Object.keys(server.environment))
          if (before[name] === undefined) delete process.env[name];
          else process.env[name] = before[name];
      });
      await collectLater(pair, { blobs: `${bucket}/prod`, s3Endpoint: server.endpoint });
      expect(filesBelow(folder)).toEqual(heldDigests(pair.home));
      await pair.up();
      for (const story of stories) await verify(pair.url(), runId, `0/${runId}/artifacts`, story);
    },
    testTimeoutMs,
  );
});
