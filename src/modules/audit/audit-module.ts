import type { FastifyInstance } from 'fastify';
import type { Clock } from '#platform/clock';
import type { Database } from '#platform/database';
import type { Consumer, Consumers, EventLog } from '#platform/events';
import type { Logger } from '#platform/log';
import { registerAuditRoutes } from './audit-routes.ts';
import { sealNewEvents } from './audit-sealer.ts';
import type { AuditApi } from './audit-service.ts';
import { createDenialRecorder } from './denial-recorder.ts';
import { registerEventRoutes } from './event-routes.ts';
import { findLastSeal } from './seal-store.ts';
import { verifyChain } from './verify-chain.ts';

export interface AuditDeps {
  readonly database: Database;
  readonly log: EventLog;
  readonly consumers: Pick<Consumers, 'retryParked' | 'listParked'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long events are gathered before they are sealed together. Default 1 s. */
  readonly sealDelayMs?: number;
}

export interface AuditModule {
  readonly id: 'audit';
  readonly api: AuditApi;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
  start(): Promise<void>;
  /** Tells the last denials and seals what is left. */
  stop(): Promise<void>;
}

export function createAuditModule(deps: AuditDeps): AuditModule {
  const { database, log, logger, sealDelayMs = 1000 } = deps;
  const denials = createDenialRecorder(deps);
  let timer: NodeJS.Timeout | undefined;
  let stopHearing: (() => void) | undefined;
  let sealing: Promise<number> = Promise.resolve(0);

  /** One after another: two passes at once would only get into each other's way. */
  function seal(): Promise<number> {
    sealing = sealing.then(
      () => sealNewEvents(deps),
      () => sealNewEvents(deps),
    );
    return sealing;
  }

  /** The newest event that this process was told of. */
  let heard = '0';
  let stopped = false;

  async function sealRound(): Promise<void> {
    timer = undefined;
    await seal();
    // some may not be settled yet (PostgreSQL), or came meanwhile
    if (((await findLastSeal(database.read))?.position ?? '0') < heard) sealSoon();
  }

  function sealSoon(): void {
    if (stopped) return;
    timer ??= setTimeout(() => {
      sealRound().catch((error: unknown) => logger.error({ err: error }, 'the audit log could not be sealed'));
    }, sealDelayMs).unref();
  }

  const api: AuditApi = {
    recordDenied: denials.record,
    recordRead: ({ principal, project, subjects, operation, requestId }) =>
      database.write({ actor: principal, cause: requestId }, async (unit) => {
        for (const subject of subjects)
          await unit.emit({ type: 'request.read', project, subject, data: { operation, requestId } });
      }),
    seal,
    verify: (anchor) => verifyChain({ read: database.read, log }, anchor),
  };

  return {
    id: 'audit',
    api,
    consumers: [],
    routes(app) {
      registerAuditRoutes(app, { database, log, api });
      registerEventRoutes(app, deps);
    },
    async start() {
      stopped = false;
      stopHearing = log.tail((events) => {
        for (const { position } of events) if (position > heard) heard = position;
        sealSoon();
      });
      sealSoon(); // what a crash left unsealed
    },
    async stop() {
      stopped = true;
      stopHearing?.();
      await denials.flush();
      clearTimeout(timer);
      timer = undefined;
      await seal();
    },
  };
}
