import type { Database } from '#platform/database';
import type { EventLog } from '#platform/events';
import { sealEvents } from './hash-chain.ts';
import { findLastSeal, insertSeals } from './seal-store.ts';

const batchSize = 256;
const actor = { actor: 'system:audit' };

/**
 * Chains the log after the fact, so that no unit waits for the chain. There is one sealer: it checks in its unit that
 * the chain still ends where it read, and gives way when another has gone on.
 */
export async function sealNewEvents({
  database,
  log,
}: {
  readonly database: Database;
  readonly log: EventLog;
}): Promise<number> {
  let sealed = 0;
  for (;;) {
    const last = await findLastSeal(database.read);
    const events = await log.list({ afterPosition: last?.position ?? '0', limit: batchSize, order: 'asc' });
    if (events.length === 0) return sealed;
    const seals = sealEvents(last, events);
    const taken = await database.write(actor, async (unit) => {
      if ((await findLastSeal(unit))?.sequence !== last?.sequence) return false;
      await insertSeals(unit, seals);
      return true;
    });
    if (!taken) return sealed;
    sealed += events.length;
    // what came meanwhile waits for the next round, or a stream of events would be sealed one by one
    if (events.length < batchSize) return sealed;
  }
}
