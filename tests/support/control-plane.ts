import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, onTestFinished } from 'vitest';
import { type ControlPlane, createControlPlane } from '../../src/app/control-plane.ts';
import { openPlatform, type Platform } from '../../src/app/platform.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { createLogger } from '../../src/platform/log.ts';
import { builtModule } from '../../src/platform/testing/built-program.ts';
import { type Client, createClient } from '../../src/sdk/index.ts';

// outside a test, so that building on a busy machine counts against no test's time
beforeAll(async () => void (await builtModule('worker/main.js')), 180_000);

export interface TestControlPlane {
  readonly home: string;
  readonly url: string;
  /** Of the bare root: the project `default`. With `auth: on` the first admin's. */
  readonly client: Client;
  readonly platform: Platform;
  readonly control: ControlPlane;
}

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The very control plane that `up` runs, on a free port, with a home of its own; stopped after the test. */
export async function startControlPlane(
  options: {
    readonly databaseUrl?: string;
    readonly home?: string;
    readonly auth?: 'on';
    readonly webhookHosts?: string;
  } = {},
): Promise<TestControlPlane> {
  await builtModule('worker/main.js'); // workers are processes of the built program
  const home = options.home ?? (await temporaryFolder());
  const config = loadConfig({
    flags: {
      home,
      port: '0',
      servingPort: '0',
      ...(options.auth !== undefined && { auth: options.auth }),
      ...(options.webhookHosts !== undefined && { webhookHosts: options.webhookHosts }),
      ...(options.databaseUrl !== undefined && { databaseUrl: options.databaseUrl }),
    },
    environment: {},
  });
  const logger = createLogger({ level: 'error', destination: { file: join(home, 'control.log') } });
  const platform = await openPlatform({ config, version: '0.0.0-test', logger, durability: 'off' });
  const created = await createControlPlane(platform, { checkAnswers: true });
  let stopping: Promise<void> | undefined; // a test may stop it itself
  const control = { ...created, stop: () => (stopping ??= created.stop()) };
  const url = await control.start();
  onTestFinished(() => control.stop());
  const token = options.auth === 'on' ? (await readFile(join(home, 'admin-token'), 'utf8')).trim() : undefined;
  return { home, url, client: createClient({ url, ...(token !== undefined && { token }) }), platform, control };
}
