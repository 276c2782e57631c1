import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunningServer, runningServerFile } from '#contracts/running-server';
import { type Config, loadConfig } from '#platform/config';
import { AppError } from '#platform/errors';
import { createLogger } from '#platform/log';
import { createControlPlane } from './control-plane.ts';
import { ensureDataPlane, stopDataPlane } from './data-plane-process.ts';
import { openPlatform } from './platform.ts';
import { readVersion } from './version.ts';

export interface UpOptions {
  /** Command-line options; they win over the environment. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Hears what looks like a mistake but stops nothing. */
  warn(line: string): void;
  /** When the process began, to say how long the start took. */
  readonly beganMs: number;
  /** Aborts when it is to stop. */
  readonly signal: AbortSignal;
  ready(server: RunningServer & { readonly tookMs: number }): void;
}

const pool = 'default';

type Mask = (line: string) => string;
const maskNothing: Mask = (line) => line;

/** Runs both planes until the signal; stops them in order: the data plane hands its records over, then the rest ends. */
export async function up(options: UpOptions): Promise<void> {
  const { signal } = options;
  const config = loadConfig(options);
  const version = readVersion();
  config.warnings.forEach((warning) => options.warn(warning));
  let mask = maskNothing; // until the module that knows the secrets is there
  const logger = createLogger({
    name: 'control',
    mask: (line) => mask(line),
    level: config.logLevel,
    destination: { file: join(config.home, 'logs', 'control.log') },
  });
  const platform = await openPlatform({ config, version, logger });
  const control = await createControlPlane(platform);
  mask = (line) => control.modules.secrets.api.maskSecrets(line);
  const servingFolder = platform.path('serving');
  const runningFile = platform.path(runningServerFile);
  const context = { actor: 'system:up' };
  try {
    const url = await control.start().catch((error: unknown) => {
      throw portError(error, config);
    });
    const { identity } = control.modules;
    const dataPlane = await ensureDataPlane({
      folder: servingFolder,
      host: config.host,
      port: config.servingPort,
      version,
      controlUrl: url,
      environment: platform.environment,
      issueToken: () =>
        platform.database.write(context, (unit) =>
          identity.api.issueToken(unit, { kind: 'replica', name: 'local', scope: { pool } }),
        ),
      revokeToken: (id) => platform.database.write(context, (unit) => identity.api.revokeToken(unit, id)),
    });
    const server: RunningServer = {
      url,
      servingUrl: dataPlane.url,
      pid: process.pid,
      version,
      startedAtMs: Date.now(),
    };
    await writeFile(runningFile, JSON.stringify(server));
    options.ready({ ...server, tookMs: Date.now() - options.beganMs });
    if (!signal.aborted)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    logger.info('stopping');
    await stopDataPlane(servingFolder);
  } finally {
    await rm(runningFile, { force: true });
    await control.stop();
  }
}

function portError(error: unknown, config: Config): unknown {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'EADDRINUSE') return error;
  return new AppError(
    'PORT_IN_USE',
    'conflict',
    `port ${config.port} on ${config.host} is in use; choose another with --port, or end what listens there`,
  );
}
