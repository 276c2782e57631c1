import { setTimeout as sleep } from 'node:timers/promises';
import type { TidemillEvent } from '#contracts/event-types';
import type { Database } from '../database/types.ts';
import { selectEvents, selectHead } from './events-table.ts';

/**
 * How long after a look the next one may come: the first event of a while is heard at once, of a stream many are read
 * together, and what is committed but not settled yet is looked for again.
 */
const paceMs = 20;
const brokenWaitMs = 1000;
const pageSize = 256;

/**
 * The tail on PostgreSQL, where units commit in another order than that of their positions. What was heard of is only a
 * hint; the events themselves are read from the log, which shows them when nothing can appear before them any more, so
 * that a listener may keep the last position as its own.
 */
export function tailSettled(database: Database, listener: (events: readonly TidemillEvent[]) => void): () => void {
  const stopping = new AbortController();
  let running = false;
  let wanted = '';
  /** The head when listening began; undefined until the server has said. */
  let start: string | undefined;
  let last = '';
  let early: TidemillEvent[] = [];
  let nextLookMs = 0;

  const deliver = (events: readonly TidemillEvent[]) => {
    if (!stopping.signal.aborted && events.length > 0) listener(events);
  };

  async function readOn(): Promise<void> {
    while (!stopping.signal.aborted && last < wanted) {
      const waitMs = nextLookMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      nextLookMs = performance.now() + paceMs;
      const page = await selectEvents(database.read, { afterPosition: last, limit: pageSize });
      last = page.at(-1)?.event.position ?? last;
      deliver(page.map(({ event }) => event));
    }
  }

  function run(): void {
    if (running || start === undefined) return;
    running = true;
    readOn()
      .catch(tryAgain)
      .finally(() => {
        running = false;
      });
  }

  function hear(events: readonly TidemillEvent[]): void {
    if (start === undefined) {
      early.push(...events);
      return;
    }
    const from = start;
    // Written after listening began, yet already under the head that the server answered with.
    deliver(events.filter(({ position }) => position <= from));
    for (const { position } of events) if (position > wanted) wanted = position;
    if (wanted > last) run();
  }

  async function begin(): Promise<void> {
    const head = await selectHead(database.read);
    start = head;
    last = head;
    const heard = early.toSorted((a, b) => (a.position < b.position ? -1 : 1));
    early = [];
    hear(heard);
  }

  /** The server is away for a while: whoever reads or writes hears of that, a tail only falls behind. */
  function tryAgain(): void {
    if (stopping.signal.aborted) return;
    setTimeout(() => (start === undefined ? void begin().catch(tryAgain) : run()), brokenWaitMs).unref();
  }

  const stopHearing = database.onEvents(hear);
  begin().catch(tryAgain);

  return () => {
    stopping.abort();
    stopHearing();
  };
}
