import { createHash } from 'node:crypto';
import type { StoredEvent } from '#contracts/events';
import type { Seal } from './seal-store.ts';

/** The hash before the first. */
export const chainStart = '0'.repeat(64);

/** SHA-256 over the hash before and every field of the event, in a fixed order as a JSON array. */
export function hashEvent(previous: string, event: StoredEvent): string {
  const { position, id, project, subject, type, actor, cause, atMs, data } = event;
  const text = JSON.stringify([previous, position, id, project, subject, type, actor, cause ?? null, atMs, data]);
  return createHash('sha256').update(text).digest('hex');
}

/** The seals of events that follow `last` in the log. */
export function sealEvents(last: Seal | undefined, events: readonly StoredEvent[]): readonly Seal[] {
  let previous = last?.hash ?? chainStart;
  let sequence = last?.sequence ?? 0;
  return events.map((event) => {
    previous = hashEvent(previous, event);
    sequence += 1;
    return { sequence, position: event.position, eventId: event.id, hash: previous };
  });
}
