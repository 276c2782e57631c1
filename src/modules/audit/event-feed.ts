import type { StoredEvent } from '#contracts/events';
import type { EventLog } from '#platform/events';
import type { EventStream } from '#platform/http';

/** A reader further behind than this gets `reset` and goes on from the newest event. */
const mostBehind = 1000;
const pageSize = 200;
/** How often to look without a hint: for events of another control plane. */
const pollMs = 5000;
/** How soon to look again for an event that is committed but not settled yet (PostgreSQL). */
const unsettledWaitMs = 10;

/**
 * Sends one reader the events of a project. The tail only says when to look; what is sent is read from the log by
 * position, so that order and completeness are the log's, on a resumed connection too.
 */
export async function feedEvents(
  stream: EventStream,
  options: {
    readonly log: EventLog;
    readonly project: string;
    readonly types?: readonly string[];
    /** Where a reader begins that was never here: the head before it was answered, so that it misses nothing after. */
    readonly head: string;
    readonly toData: (event: StoredEvent) => unknown;
  },
): Promise<void> {
  const { log, project, types, head, toData } = options;
  const filter = { project, ...(types !== undefined && { types }) };
  let wanted = '0';
  let wake: (() => void) | undefined;
  const stopHearing = log.tail((events) => {
    const mine = events.findLast((event) => event.project === project && (types?.includes(event.type) ?? true));
    if (mine === undefined) return;
    if (mine.position > wanted) wanted = mine.position;
    wake?.();
  });
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(done, ms);
      function done() {
        clearTimeout(timer);
        wake = undefined;
        stream.signal.removeEventListener('abort', done);
        resolve();
      }
      wake = done;
      stream.signal.addEventListener('abort', done);
      if (stream.signal.aborted) done();
    });

  try {
    let position = await findStart(stream, log, head, filter);
    while (!stream.signal.aborted) {
      const events = await log.list({ ...filter, afterPosition: position, limit: pageSize, order: 'asc' });
      for (const event of events) {
        stream.send({ id: event.position, event: event.type, data: toData(event) });
        position = event.position;
      }
      if (events.length === 0) await pause(position < wanted ? unsettledWaitMs : pollMs);
    }
  } finally {
    stopHearing();
  }
}

async function findStart(
  stream: EventStream,
  log: EventLog,
  head: string,
  filter: { readonly project: string; readonly types?: readonly string[] },
): Promise<string> {
  const { lastEventId } = stream;
  if (lastEventId === undefined) return head;
  // A position that this log never gave out: another database, or one restored from before.
  const known = /^[0-9]{1,40}$/.test(lastEventId) && lastEventId <= head;
  if (known) {
    const missed = await log.list({ ...filter, afterPosition: lastEventId, limit: mostBehind + 1, order: 'asc' });
    if (missed.length <= mostBehind) return lastEventId;
  }
  stream.reset();
  return head;
}
