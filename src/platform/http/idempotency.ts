import { createHash, createHmac } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Database, Unit, WriteContext } from '../database/types.ts';
import type { Ids } from '../ids.ts';
import { httpErrors } from './http-errors.ts';
import { deleteKey, deleteKeysBefore, findKey, type KeyOwner, putKey, updateKey } from './idempotency-store.ts';

/**
 * Requests that change something and carry an `Idempotency-Key` are carried out once: the same key with the same request
 * gets the first answer again, also after a restart and from callers that come at once; with another request it is refused.
 *
 *   (none) ── claim ──► running ── first unit of the request ──► committed ── answer kept ──► answered
 *     ▲                    │                                          │
 *     └── it failed ◄──────┘ (a retry may also overtake it)           └── the server died here: the answer is lost, and a
 *                                                                         retry is told so instead of doing it twice
 *
 * That a request has written is recorded in the very unit that writes, so nothing happens twice, whenever the server
 * dies. A key belongs to one principal in one project and is forgotten after a day. Key and body are kept as digests only,
 * the body's keyed by the key, so that a guessable body cannot be guessed from the table.
 */
export interface Idempotency {
  /** Runs `work`, or answers what it answered before. */
  once(request: KeyedRequest, work: (write: WriteContext) => Promise<KeptAnswer>): Promise<OnceAnswer>;
}

export interface KeyedRequest {
  readonly project: string;
  readonly principal: string;
  readonly key: string;
  /** Everything that makes it this request: operation, path, query and body. */
  readonly content: unknown;
  readonly write: WriteContext;
  /** The answer holds a secret: that it was given is kept, not what it was. */
  readonly secretAnswer: boolean;
}

export interface KeptAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface OnceAnswer extends KeptAnswer {
  readonly replayed: boolean;
}

export const keptMs = 24 * 3_600_000;
const sweepEveryMs = 3_600_000;
const keyShape = /^[\x21-\x7e]{1,255}$/;

export function createIdempotency({
  database,
  clock,
  ids,
}: {
  readonly database: Database;
  readonly clock: Clock;
  readonly ids: Ids;
}): Idempotency {
  /** What this process carries out now, so that those who ask at once wait for one answer. */
  const running = new Map<string, Promise<unknown>>();
  let sweptMs = 0;

  /** The answer that is there already, or the right to carry the request out. */
  async function claim(
    { write, secretAnswer }: KeyedRequest,
    owner: KeyOwner,
    requestDigest: string,
    attempt: string,
  ): Promise<OnceAnswer | undefined> {
    const sweep = clock.nowMs() - sweptMs >= sweepEveryMs;
    const found = await database.write(write, async (unit) => {
      if (sweep) await deleteKeysBefore(unit, unit.nowMs - keptMs);
      const known = await findKey(unit, owner);
      const stands = known !== undefined && unit.nowMs - known.createdMs < keptMs;
      if (stands && (known.requestDigest !== requestDigest || known.state !== 'running')) return known;
      await putKey(unit, owner, { requestDigest, attempt });
      return undefined;
    });
    if (sweep) sweptMs = clock.nowMs();
    if (found === undefined) return undefined;
    if (found.requestDigest !== requestDigest) throw httpErrors.IDEMPOTENCY_KEY_REUSED();
    if (found.state !== 'answered' || found.status === undefined) throw httpErrors.IDEMPOTENCY_ANSWER_LOST();
    if (secretAnswer) throw httpErrors.IDEMPOTENCY_ANSWER_SECRET();
    return { status: found.status, body: JSON.parse(found.body ?? 'null') as unknown, replayed: true };
  }

  async function carryOut(
    request: KeyedRequest,
    owner: KeyOwner,
    attempt: string,
    work: (write: WriteContext) => Promise<KeptAnswer>,
  ): Promise<OnceAnswer> {
    const { write } = request;
    let [committed, ended] = [false, false];
    const alongside = async (unit: Unit): Promise<void> => {
      if (ended) return; // what goes on after the answer is no part of it
      if (!(await updateKey(unit, owner, attempt, { state: 'committed' }))) throw httpErrors.IDEMPOTENCY_OVERTAKEN();
      unit.afterCommit(() => (committed = true));
    };
    try {
      const { status, body } = await work({ ...write, alongside });
      ended = true;
      const kept = request.secretAnswer ? null : JSON.stringify(body ?? null);
      await database.write(write, (unit) => updateKey(unit, owner, attempt, { state: 'answered', status, body: kept }));
      return { status, body, replayed: false };
    } catch (error) {
      ended = true;
      // Where that fails too the key stays free to be taken over, and what the caller must hear is the first error.
      if (!committed) await database.write(write, (unit) => deleteKey(unit, owner, attempt)).catch(() => undefined);
      throw error;
    }
  }

  return {
    async once(request, work) {
      const { project, principal, key, content } = request;
      if (!keyShape.test(key)) throw httpErrors.IDEMPOTENCY_KEY_INVALID();
      const owner: KeyOwner = { project, principal, keyDigest: createHash('sha256').update(key).digest('hex') };
      const requestDigest = createHmac('sha256', key).update(stableJson(content)).digest('hex');
      const name = JSON.stringify([project, principal, owner.keyDigest]);
      for (let before = running.get(name); before !== undefined; before = running.get(name))
        await before.catch(() => undefined); // it failed: then this caller tries
      const attempt = ids.next();
      const answer = (async () =>
        (await claim(request, owner, requestDigest, attempt)) ?? (await carryOut(request, owner, attempt, work)))();
      running.set(name, answer);
      try {
        return await answer;
      } finally {
        running.delete(name);
      }
    },
  };
}

/** The same text whatever the order of keys. */
function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
