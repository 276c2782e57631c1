import { setTimeout as delay } from 'node:timers/promises';
import type { DataPlaneDeaths } from '#contracts/running-server';
import type { AlertsApi } from '#modules/alerts';
import type { Clock } from '#platform/clock';
import type { Database } from '#platform/database';
import type { Logger } from '#platform/log';
import {
  type DataPlaneOptions,
  ensureDataPlane,
  grpcPortOf,
  type RunningDataPlane,
  stopDataPlane,
} from './data-plane-process.ts';

/**
 * Keeps the data plane of this host running for as long as the control plane does.
 *
 *   running --it ends, nobody asked--> starting again --back-off, a new start--> running
 *   starting again --the start fails--> starting again, after a longer wait
 *   any --stop()--> drained and gone
 *
 * A new start is a new boot of the same replica: what the old one had answered lies in its spool, which the new one ships.
 * It listens on the same ports. What keeps dying opens an incident, which is resolved once it has run for a while.
 */
export interface DataPlaneSupervisor {
  /** Resolves when it runs for the first time; a failure of this first start is the caller's. */
  start(controlUrl: string): Promise<RunningDataPlane>;
  /** Lets it hand its records over and end. One that was only found running may be left so. */
  stop(options?: { readonly leaveAdopted?: boolean }): Promise<void>;
}

export interface SupervisorDeps {
  readonly database: Pick<Database, 'write'>;
  readonly alerts: Pick<AlertsApi, 'open' | 'resolve'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** All but the address of the control plane, known later. */
  readonly process: Omit<DataPlaneOptions, 'controlUrl'>;
  /** Hears each time that it has died or runs again. */
  onChange(deaths: DataPlaneDeaths): void;
}

/** After so long a life it counts as sound: the next start is at once, and the incident is over. */
const soundAfterMs = 60_000;
const firstWaitMs = 250;
const longestWaitMs = 30_000;
/** So many deaths in a row, each after less than a sound life, and somebody must act. */
const alertAfter = 3;

const context = { actor: 'system:up' };
const project = 'default';
const fingerprint = 'data-plane:local';

export function createDataPlaneSupervisor(deps: SupervisorDeps): DataPlaneSupervisor {
  const { clock, logger, database } = deps;
  const { folder } = deps.process;
  const stopping = new AbortController();
  let current: RunningDataPlane | undefined;
  let starting: Promise<unknown> = Promise.resolve();
  let watching: Promise<void> = Promise.resolve();
  let deaths = 0;

  const begin = async (
    controlUrl: string,
    ports: Pick<DataPlaneOptions, 'port' | 'grpcPort'>,
  ): Promise<RunningDataPlane> => {
    const attempt = ensureDataPlane({ ...deps.process, ...ports, controlUrl });
    starting = attempt.catch(() => undefined);
    current = await attempt;
    return current;
  };

  async function keepRunning(controlUrl: string, first: RunningDataPlane): Promise<void> {
    const ports = { port: Number(new URL(first.url).port), grpcPort: grpcPortOf(first) };
    let running: RunningDataPlane | undefined = first;
    let inARow = 0;
    let end = '';
    while (!stopping.signal.aborted) {
      if (running !== undefined) {
        const sound = await livesLong(running);
        if (sound && inARow > 0) {
          inARow = 0;
          await resolveIncident();
        }
        end = await running.ended;
        if (stopping.signal.aborted) return;
      }
      inARow += 1;
      deaths += 1;
      const told = { deaths, lastDeathMs: clock.nowMs(), lastEnd: end };
      logger.error({ end, deaths, pid: running?.pid }, 'the data plane ended by itself and is started again');
      deps.onChange({ ...told, state: 'starting again' });
      if (inARow >= alertAfter) await openIncident(end, inARow);
      // at once the first time; nobody is served meanwhile
      const waitMs = inARow === 1 ? 0 : Math.min(longestWaitMs, firstWaitMs * 2 ** (inARow - 1));
      await delay(waitMs, undefined, { signal: stopping.signal });
      running = await begin(controlUrl, ports).catch((error: unknown) => {
        logger.error({ err: error }, 'the data plane could not be started');
        end = 'before it listened';
        return undefined;
      });
      if (running !== undefined) deps.onChange({ ...told, state: 'running' });
    }
  }

  const openIncident = async (end: string, inARow: number): Promise<void> => {
    await database.write(context, (unit) =>
      deps.alerts.open(unit, {
        project,
        fingerprint,
        kind: 'data-plane',
        severity: 'critical',
        title: 'the data plane of this host keeps dying',
        subject: 'pool:default',
        evidence: { deathsInARow: inARow, lastEnd: end, log: `${folder}/serving.log`, stderr: `${folder}/stderr.log` },
      }),
    );
  };
  const resolveIncident = async (): Promise<void> => {
    const reason = `it has been running for ${soundAfterMs / 1000} s`;
    await database.write(context, (unit) => deps.alerts.resolve(unit, { project, fingerprint, reason }));
  };

  return {
    async start(controlUrl) {
      const first = await begin(controlUrl, deps.process);
      watching = keepRunning(controlUrl, first).catch((error: unknown) => {
        if (!stopping.signal.aborted) logger.error({ err: error }, 'the data plane is no longer watched');
      });
      return first;
    },
    async stop({ leaveAdopted = false } = {}) {
      stopping.abort();
      await starting;
      if (current === undefined || (leaveAdopted && current.adopted)) return;
      await stopDataPlane(folder);
      if (!current.adopted) await watching;
    },
  };
}

/** Whether it is still there after a sound life. */
async function livesLong(running: RunningDataPlane): Promise<boolean> {
  const timer = new AbortController();
  const { signal } = timer;
  try {
    return await Promise.race([
      running.ended.then(() => false),
      delay(soundAfterMs, true, { signal, ref: false }).catch(() => false),
    ]);
  } finally {
    timer.abort();
  }
}
