import type { Clock } from '#platform/clock';
import type { Database, WriteContext } from '#platform/database';
import { createDueLoop, type DueLoop } from '#platform/due-loop';
import type { Logger } from '#platform/log';
import type { TriggerService } from './trigger-service.ts';
import { findNextFireMs, listDue } from './trigger-store.ts';

/**
 * Fires crons when their stored time has come. Times that passed while the server was away fire once, the last. Woken when
 * a trigger was declared: its time may be the next.
 */
export interface CronLoop extends DueLoop {
  /** Fires whatever is due now. */
  runDue(): Promise<void>;
}

const context: WriteContext = { actor: 'system:automation.cron' };
const dueAtOnce = 100;

export function createCronLoop(deps: {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly triggers: Pick<TriggerService, 'fireCron'>;
}): CronLoop {
  const { database, clock, logger, triggers } = deps;

  async function runDue(): Promise<void> {
    for (const due of await listDue(database.read, clock.nowMs(), dueAtOnce))
      await database.write(context, (unit) => triggers.fireCron(unit, due));
  }

  const loop = createDueLoop({
    clock,
    async round() {
      await runDue();
      return await findNextFireMs(database.read);
    },
    failed: (error) => logger.error({ err: error }, 'crons cannot be fired; trying again'),
  });
  return { ...loop, runDue };
}
