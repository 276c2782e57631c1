import type { AuditVerdict } from '#contracts/audit';
import type { StoredEvent } from '#contracts/events';
import type { Reader } from '#platform/database';
import type { EventLog } from '#platform/events';
import { chainStart, hashEvent } from './hash-chain.ts';
import { listSealsAfter, type Seal } from './seal-store.ts';

/** A seal that was noted down outside: with it, a chain that was cut or made anew is found out too. */
export interface Anchor {
  readonly sequence: number;
  readonly hash: string;
}

type Problem = NonNullable<AuditVerdict['problem']>;
const pageSize = 500;

/** Computes every seal again beside the log, page by page, and stops at the first that does not fit. */
export async function verifyChain(
  { read, log }: { readonly read: Reader; readonly log: EventLog },
  anchor?: Anchor,
): Promise<AuditVerdict> {
  const nextEvent = createEventReader(log);
  let last: Seal | undefined;
  let checked = 0;
  const verdict = (problem?: Problem): AuditVerdict => ({
    ok: problem === undefined,
    checked,
    ...(last !== undefined && { head: { sequence: last.sequence, hash: last.hash } }),
    ...(problem !== undefined && { problem }),
  });

  for (;;) {
    const seals = await listSealsAfter(read, last?.sequence ?? 0, pageSize);
    if (seals.length === 0) break;
    for (const seal of seals) {
      const problem = problemOf(seal, last, await nextEvent(), anchor);
      if (problem !== undefined) return verdict(problem);
      last = seal;
      checked += 1;
    }
  }
  if (anchor !== undefined && anchor.sequence > (last?.sequence ?? 0))
    return verdict({
      kind: 'anchor',
      sequence: anchor.sequence,
      eventId: '',
      message: `the chain ends before seal ${anchor.sequence}, which was noted down: its end was cut off`,
    });
  return verdict();
}

function problemOf(
  seal: Seal,
  last: Seal | undefined,
  event: StoredEvent | undefined,
  anchor: Anchor | undefined,
): Problem | undefined {
  const { sequence, eventId, position } = seal;
  const problem = (kind: Problem['kind'], message: string, id = eventId): Problem => ({
    kind,
    sequence,
    eventId: id,
    message,
  });
  if (sequence !== (last?.sequence ?? 0) + 1)
    return problem('chain', `seals are missing between ${last?.sequence ?? 0} and ${sequence}`);
  if (event === undefined || event.position > position)
    return problem('removed', `event ${eventId} at position ${position} was removed from the log`);
  if (event.position < position)
    return problem('inserted', `event ${event.id} at position ${event.position} was slipped into the log`, event.id);
  if (event.id !== eventId || hashEvent(last?.hash ?? chainStart, event) !== seal.hash)
    return problem('changed', `event ${eventId} at position ${position}, or its seal, was changed after it was sealed`);
  if (anchor?.sequence === sequence && anchor.hash !== seal.hash)
    return problem('anchor', `seal ${sequence} is not the one that was noted down: the chain was made anew`);
  return undefined;
}

function createEventReader(log: EventLog): () => Promise<StoredEvent | undefined> {
  let page: readonly StoredEvent[] = [];
  let index = 0;
  let afterPosition = '0';
  return async () => {
    if (index === page.length) {
      page = await log.list({ afterPosition, limit: pageSize, order: 'asc' });
      index = 0;
    }
    const event = page[index];
    index += 1;
    if (event !== undefined) afterPosition = event.position;
    return event;
  };
}
