import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { findOrStartS3, type S3Server } from '../src/platform/testing/s3-server.ts';
import { runTidemill } from './support/command-line.ts';
import { temporaryFolder } from './support/control-plane.ts';
import { ensurePython, exampleRequirements, pythonSetUpMs, runMlflowScript } from './support/mlflow-script.ts';
import { type RunningPair, startPair } from './support/running-server.ts';

const testTimeoutMs = 240_000;
const proxy = '/api/2.0/mlflow-artifacts';

const put = (pair: RunningPair, path: string, body: string) =>
  fetch(`${pair.url()}${proxy}/artifacts/${path}`, { method: 'PUT', body });

describe('a server whose blobs lie on S3', () => {
  let s3: S3Server;
  let python: string;
  beforeAll(async () => {
    s3 = await findOrStartS3();
    ({ pythonPath: python } = await ensurePython(exampleRequirements));
  }, pythonSetUpMs);

  test(
    "MLflow's client sends a large file in parts, and reads it from the S3 server",
    async () => {
      const pair = await startPair(['--blobs', `${s3.newBucket()}/prod`], s3.environment);
      const partBytes = 5 * 1024 * 1024;
      const result = await runMlflowScript(python, 'mlflow_large_file.py', {
        trackingUri: pair.url(),
        timeoutMs: 180_000,
        arguments: [`${2 * partBytes + 1}`],
        variables: {
          MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: `${partBytes}`,
          MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE: `${partBytes}`,
          MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE: `${partBytes}`,
          MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE: `${partBytes}`,
        },
      });
      expect(result).toEqual({
        parts: 3,
        whole: 0,
        presigned: 1,
        proxied: 0,
        from_s3: 3,
        same: true,
      });
    },
    testTimeoutMs,
  );

  test(
    'a file is put, read in ranges, read by a signed URL without a token, and gone when it is deleted',
    async () => {
      const pair = await startPair(['--blobs', s3.newBucket()], s3.environment);
      expect((await put(pair, '0/run/artifacts/a.txt', '0123456789')).status).toBe(200);
      const url = `${pair.url()}${proxy}/artifacts/0/run/artifacts/a.txt`;
      const part = await fetch(url, { headers: { range: 'bytes=2-4' } });
      expect([part.status, await part.text(), part.headers.get('content-range')]).toEqual([206, '234', 'bytes 2-4/10']);
      const beyond = await fetch(url, { headers: { range: 'bytes=10-' } });
      expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */10']);
      const signed = (await (await fetch(`${pair.url()}${proxy}/presigned/0/run/artifacts/a.txt`)).json()) as {
        readonly url: string;
        readonly file_size: number;
      };
      expect([signed.url.startsWith(`${s3.endpoint}/`), signed.file_size]).toEqual([true, 10]);
      expect(await (await fetch(signed.url)).text()).toBe('0123456789');
      const empty = await put(pair, '0/run/artifacts/empty', '');
      expect([empty.status, await (await fetch(url.replace('a.txt', 'empty'))).text()]).toEqual([200, '']);
      expect((await fetch(url, { method: 'DELETE' })).status).toBe(200);
      expect((await fetch(url)).status).toBe(404);
    },
    testTimeoutMs,
  );

  test(
    'up and doctor refuse a bucket that is not there, and credentials that are wrong, with the reason',
    async () => {
      const home = join(await temporaryFolder(), 'home');
      const ask = async (what: string, blobs: string, more: Readonly<Record<string, string>> = {}) => {
        const { status, stdout, stderr } = await runTidemill(
          [what, '--home', home, '--port', '0', '--serving-port', '0', '--blobs', blobs],
          { environment: { ...s3.environment, ...more } },
        );
        return { status, says: stdout + stderr };
      };
      const missing = expect.stringContaining('has no bucket "no-such-bucket": create it');
      expect(await ask('up', 's3://no-such-bucket')).toEqual({ status: 2, says: missing });
      expect(await ask('doctor', 's3://no-such-bucket')).toEqual({ status: 1, says: missing });
      const refused = expect.stringContaining('refuses the credentials');
      const wrong = { AWS_SECRET_ACCESS_KEY: 'wrong' };
      expect(await ask('up', s3.newBucket(), wrong)).toEqual({ status: 2, says: refused });
      expect(await ask('doctor', s3.newBucket(), wrong)).toEqual({ status: 1, says: refused });
      const bucket = s3.newBucket();
      expect((await ask('doctor', bucket)).says).toContain(`${bucket} can be written`);
    },
    testTimeoutMs,
  );

  test(
    'a backup is restored into a bucket, or into the home folder',
    async () => {
      const pair = await startPair(['--blobs', s3.newBucket()], s3.environment);
      await put(pair, '0/run/artifacts/a.txt', 'kept');
      const folder = await temporaryFolder();
      const file = join(folder, 'all.tar');
      const tidemill = async (...args: readonly string[]) => {
        const { status, stderr } = await runTidemill(args, { environment: s3.environment, cwd: folder });
        expect([status, stderr]).toEqual([0, expect.anything()]);
      };
      await tidemill('--url', pair.url(), 'backup', file);
      await pair.stop();
      const bucket = `${s3.newBucket()}/again`;
      await tidemill('--home', join(folder, 'on-s3'), 'restore', file, '--blobs', bucket);
      await tidemill('--home', join(folder, 'local'), 'restore', file);
      const digest = createHash('sha256').update('kept').digest('hex');
      const shard = [digest.slice(0, 2), digest.slice(2, 4)];
      for (const place of [
        join(s3.folder, bucket.slice('s3://'.length), 'blobs', digest),
        join(folder, 'local', 'blobs', ...shard, digest),
      ])
        expect(readFileSync(place, 'utf8')).toBe('kept');
      expect(existsSync(join(folder, 'on-s3', 'blobs'))).toBe(false);
    },
    testTimeoutMs,
  );
});
