import { existsSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunningServer, runningServerFile } from '#contracts/running-server';
import { type Config, loadConfig } from '#platform/config';
import { createLogger } from '#platform/log';
import { readVersion } from '#platform/package-path';
import { createControlPlane } from './control-plane.ts';
import { otelVariablesOf, type RunningDataPlane } from './data-plane-process.ts';
import { createDataPlaneSupervisor } from './data-plane-supervisor.ts';
import { openPlatform } from './platform.ts';
import { explainStart } from './start-errors.ts';

export interface UpOptions {
  /** Command-line options; they win over the environment. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Hears what looks like a mistake but stops nothing. */
  warn(line: string): void;
  /** Hears what a person has to know once. */
  note(line: string): void;
  /** When the process began, to say how long the start took. */
  readonly beganMs: number;
  /** Aborts when it is to stop. */
  readonly signal: AbortSignal;
  ready(server: RunningServer & { readonly tookMs: number }): void;
  /** Told to stop after it was ready: what is under way is ended in order, which may take a while. */
  stopping(): void;
}

const pool = 'default';
const context = { actor: 'system:up' };

type Mask = (line: string) => string;
const maskNothing: Mask = (line) => line;

const firstToken = (path: string): string =>
  `Callers are asked for a token. The first admin's lies in ${path}: commands find it on this machine, others take it as TIDEMILL_TOKEN, MLflow's client as MLFLOW_TRACKING_TOKEN; "tidemill token create" makes more.`;

/** Runs both planes until the signal; stops them in order: the data plane hands its records over, then the rest ends. */
export async function up(options: UpOptions): Promise<void> {
  const config = loadConfig(options);
  try {
    await run(options, config);
  } catch (error) {
    throw explainStart(error, config);
  }
}

async function run(options: UpOptions, config: Config): Promise<void> {
  const { signal } = options;
  const version = readVersion();
  config.warnings.forEach((warning) => options.warn(warning));
  let mask = maskNothing; // until the module that knows the secrets is there
  const logger = createLogger({
    name: 'control',
    mask: (line) => mask(line),
    level: config.logLevel,
    destination: { file: join(config.home, 'logs', 'control.log') },
  });
  const adminToken = join(config.home, 'admin-token');
  const hasAdminToken = existsSync(adminToken);
  const platform = await openPlatform({ config, version, logger });
  const control = await createControlPlane(platform);
  const { identity, secrets, alerts } = control.modules;
  mask = (line) => secrets.api.maskSecrets(line);
  const runningFile = platform.path(runningServerFile);
  let running: RunningServer | undefined;
  const supervisor = createDataPlaneSupervisor({
    ...platform,
    alerts: alerts.api,
    process: {
      folder: platform.path('serving'),
      host: config.host,
      port: config.servingPort,
      grpcPort: config.grpcPort,
      grpcMaxMessageBytes: config.grpcMaxMessageBytes,
      version,
      environment: platform.environment,
      otel: otelVariablesOf(options.environment),
      pythonFolder: platform.path('python'),
      python: config.python,
      allowedHosts: config.allowedHosts,
      maxBodyBytes: config.maxBodyBytes,
      further: {
        'request-memory-bytes': config.requestMemoryBytes,
        'max-connections': config.maxConnections,
        'spool-max-bytes': config.spoolMaxBytes,
        'sklearn-checks': config.sklearnChecks,
        ...(config.memoryBytes !== undefined && { 'memory-bytes': config.memoryBytes }),
      },
      issueToken: () =>
        platform.database.write(context, (unit) =>
          identity.api.issueToken(unit, { kind: 'replica', name: 'local', scope: { pool } }),
        ),
      revokeToken: (id) => platform.database.write(context, (unit) => identity.api.revokeToken(unit, id)),
    },
    onChange(deaths) {
      if (running === undefined) return;
      running = { ...running, dataPlane: deaths };
      writeFileSync(runningFile, JSON.stringify(running)); // before the next change
    },
  });
  let dataPlane: Promise<RunningDataPlane> | undefined;
  const startDataPlane = (url: string): void => {
    dataPlane ??= supervisor.start(url);
    dataPlane.catch(() => undefined); // awaited below, unless the control plane fails first
  };
  let ready = false;
  try {
    // it takes as long to start as the control plane itself, so it does that beside it: it asks again until we listen
    if (config.port !== 0) startDataPlane(control.urlAt(config.port));
    const url = await control.start(startDataPlane);
    const { url: servingUrl, grpcAddress } = (await dataPlane) ?? {};
    running = {
      url,
      ...(servingUrl !== undefined && { servingUrl }),
      ...(grpcAddress !== undefined && { grpcAddress }),
      pid: process.pid,
      version,
      startedAtMs: Date.now(),
    };
    writeFileSync(runningFile, JSON.stringify(running));
    ready = true;
    if (config.auth === 'on' && !hasAdminToken) options.note(firstToken(adminToken));
    options.ready({ ...running, tookMs: Date.now() - options.beganMs });
    if (!signal.aborted)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    logger.info('stopping');
    options.stopping();
  } finally {
    await supervisor.stop({ leaveAdopted: !ready });
    await rm(runningFile, { force: true });
    await control.stop();
  }
}
