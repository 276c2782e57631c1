import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createLogger } from '#platform/log';
import { builtModule } from '#platform/testing/built-program';
import { createDiskSource } from '../local/disk-source.ts';
import { type LocalPlane, type LocalPlaneOptions, startLocalPlane } from '../local/local-plane.ts';

/** What `tidemill serve <path> --no-models` runs, inside this process; stopped after the test. */
export async function aLocalPlane(path: string, more: Partial<LocalPlaneOptions> = {}): Promise<LocalPlane> {
  await builtModule('runtimes/onnx-thread.js');
  const home = await mkdtemp(join(tmpdir(), 'tidemill-local-'));
  const plane = await startLocalPlane({
    source: createDiskSource(path),
    only: [],
    watch: false,
    modelControl: true,
    tokenDigests: [],
    host: '127.0.0.1',
    port: 0,
    grpcPort: 0,
    grpcMaxMessageBytes: 1024 ** 2,
    maxBodyBytes: 1024 ** 2,
    allowedHosts: [],
    programVersion: '0',
    memoryBytes: undefined,
    pythonFolder: undefined,
    python: undefined,
    home,
    logger: createLogger({ level: 'silent' }),
    ...more,
  });
  onTestFinished(async () => {
    await plane.stop();
    await rm(home, { recursive: true, force: true });
  });
  return plane;
}
