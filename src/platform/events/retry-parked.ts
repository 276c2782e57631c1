import type { Database, WriteContext } from '../database/types.ts';
import type { Logger } from '../log.ts';
import {
  deleteParked,
  isParked,
  listParked,
  type ParkedEvent,
  recordFailedRetry,
  subjectKey,
} from './consumer-store.ts';
import type { Consumer } from './consumers.ts';
import { type LoggedEvent, selectEventAt } from './events-table.ts';

interface RetryParts {
  readonly database: Database;
  readonly logger: Logger;
}

const pageSize = 100;

/** The context of what a consumer does about an event. */
export const contextOf = (consumer: Consumer, { event, depth }: LoggedEvent): WriteContext => ({
  actor: `system:${consumer.name}`,
  cause: event.id,
  causeDepth: depth,
});

/**
 * Tries a consumer's parked events again, in order; a subject whose event fails again stays parked from there on.
 * Answers how many were handled. Nothing else of this consumer may run meanwhile.
 */
export async function retryParkedEvents(parts: RetryParts, consumer: Consumer, signal: AbortSignal): Promise<number> {
  const stuck = new Set<string>();
  let count = 0;
  let afterPosition = '';
  for (;;) {
    const page = await listParked(parts.database.read, { consumer: consumer.name, afterPosition, limit: pageSize });
    if (page.length === 0) return count;
    for (const parked of page) {
      afterPosition = parked.position;
      if (stuck.has(subjectKey(parked)) || signal.aborted) continue;
      if (await retryOne(parts, consumer, parked)) count += 1;
      else stuck.add(subjectKey(parked));
    }
  }
}

async function retryOne(
  { database, logger }: RetryParts,
  consumer: Consumer,
  { position, project, subject }: ParkedEvent,
): Promise<boolean> {
  const logged = await selectEventAt(database.read, position);
  if (logged === undefined)
    throw new Error(`the log has no event at ${position}, which consumer ${consumer.name} parked`);
  const parked = { consumer: consumer.name, position };
  try {
    await consumer.deliver?.(logged.event);
    await database.write(contextOf(consumer, logged), async (unit) => {
      if (!(await deleteParked(unit, parked))) return;
      await consumer.handle?.(unit, logged.event);
      if (await isParked(unit, consumer.name, { project, subject })) return;
      await unit.becauseOf({ cause: logged.event.id }).emit({
        type: 'consumer.resumed',
        project,
        subject: `consumer:${consumer.name}`,
        data: { consumer: consumer.name, eventSubject: subject },
      });
    });
    return true;
  } catch (error) {
    logger.warn({ consumer: consumer.name, event: logged.event.id, err: error }, 'parked event failed again');
    const text = error instanceof Error ? error.message : String(error);
    await database.write(contextOf(consumer, logged), (unit) => recordFailedRetry(unit, parked, text));
    return false;
  }
}
