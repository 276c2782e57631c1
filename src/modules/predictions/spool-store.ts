import { hourMs } from '#contracts/worker-predictions';
import type { Reader, Unit } from '#platform/database';
import type { PredictionsTables } from './predictions-tables.ts';

export async function findCursor(reader: Reader, replica: string, epoch: string): Promise<number> {
  const row = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_spools')
    .select('prediction_spools.next_offset')
    .where('prediction_spools.replica', '=', replica)
    .where('prediction_spools.epoch', '=', epoch)
    .executeTakeFirst();
  return row?.next_offset ?? 0;
}

/** False, and nothing changed, unless the cursor still stands at `from`. */
export async function advanceCursor(
  unit: Unit,
  cursor: { readonly replica: string; readonly epoch: string; readonly from: number; readonly to: number },
  lost: number,
): Promise<boolean> {
  const { replica, epoch, from, to } = cursor;
  await unit
    .query<PredictionsTables>()
    .insertInto('prediction_spools')
    .values({
      replica,
      epoch,
      next_offset: 0,
      wanted_offset: 0,
      lost: 0,
      updated_ms: unit.nowMs,
      behind_since_ms: null,
    })
    .onConflict((conflict) => conflict.columns(['replica', 'epoch']).doNothing())
    .execute();
  const { numUpdatedRows } = await unit
    .query<PredictionsTables>()
    .updateTable('prediction_spools')
    .set((set) => ({
      next_offset: to,
      lost: set('lost', '+', lost),
      updated_ms: unit.nowMs,
      behind_since_ms: set
        .case()
        .when('prediction_spools.wanted_offset', '>', to)
        .then(set.ref('prediction_spools.behind_since_ms'))
        .else(null)
        .end(),
    }))
    .where('prediction_spools.replica', '=', replica)
    .where('prediction_spools.epoch', '=', epoch)
    .where('prediction_spools.next_offset', '=', from)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Records that a replica had and has no more. */
export interface LostSpan {
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
}

/**
 * What the replica says is in each epoch of its spool. Epochs that it does not name any more want nothing.
 *
 * A replica reads its whole spool before its first report, and forgets an epoch only once all of it was taken; so what was
 * wanted of one that it does not name, or now names shorter, can never come. That is counted and answered.
 */
export async function setWanted(
  unit: Unit,
  replica: string,
  epochs: readonly { readonly epoch: string; readonly next: number }[],
): Promise<readonly LostSpan[]> {
  const lost = await findLost(unit, replica, epochs);
  if (epochs.length > 0)
    await unit
      .query<PredictionsTables>()
      .insertInto('prediction_spools')
      .values(
        epochs.map(({ epoch, next }) => ({
          replica,
          epoch,
          next_offset: 0,
          wanted_offset: next,
          lost: 0,
          updated_ms: unit.nowMs,
          behind_since_ms: next > 0 ? unit.nowMs : null,
        })),
      )
      .onConflict((conflict) =>
        conflict.columns(['replica', 'epoch']).doUpdateSet((set) => ({
          wanted_offset: set.ref('excluded.wanted_offset'),
          behind_since_ms: set
            .case()
            .when('excluded.wanted_offset', '>', set.ref('prediction_spools.next_offset'))
            .then(set.fn.coalesce('prediction_spools.behind_since_ms', set.cast<number>(set.val(unit.nowMs), 'bigint')))
            .else(null)
            .end(),
        })),
      )
      .execute();
  let gone = unit
    .query<PredictionsTables>()
    .updateTable('prediction_spools')
    .set((set) => ({ wanted_offset: set.ref('prediction_spools.next_offset'), behind_since_ms: null }))
    .where('prediction_spools.replica', '=', replica)
    .whereRef('prediction_spools.wanted_offset', '>', 'prediction_spools.next_offset');
  if (epochs.length > 0)
    gone = gone.where(
      'prediction_spools.epoch',
      'not in',
      epochs.map(({ epoch }) => epoch),
    );
  await gone.execute();
  return lost;
}

async function findLost(
  unit: Unit,
  replica: string,
  epochs: readonly { readonly epoch: string; readonly next: number }[],
): Promise<readonly LostSpan[]> {
  const behind = await unit
    .query<PredictionsTables>()
    .selectFrom('prediction_spools')
    .select(['prediction_spools.epoch', 'prediction_spools.next_offset', 'prediction_spools.wanted_offset'])
    .where('prediction_spools.replica', '=', replica)
    .whereRef('prediction_spools.wanted_offset', '>', 'prediction_spools.next_offset')
    .orderBy('prediction_spools.epoch')
    .execute();
  const nextOf = new Map(epochs.map(({ epoch, next }) => [epoch, next]));
  const lost = behind
    .map((row) => ({
      epoch: row.epoch,
      from: Math.max(row.next_offset, nextOf.get(row.epoch) ?? 0),
      to: row.wanted_offset,
    }))
    .filter(({ from, to }) => to > from);
  // there is hardly ever one, and hardly ever two
  for (const { epoch, from, to } of lost)
    await unit
      .query<PredictionsTables>()
      .updateTable('prediction_spools')
      .set((set) => ({ lost: set('lost', '+', to - from) }))
      .where('prediction_spools.replica', '=', replica)
      .where('prediction_spools.epoch', '=', epoch)
      .execute();
  return lost;
}

/**
 * Endpoints with a replica that reported at `sinceMs` or later and has written more than has been taken. A replica that
 * never answered at an endpoint keeps nothing of it back.
 */
export async function listBehind(
  reader: Reader,
  sinceMs: number,
): Promise<readonly { readonly project: string; readonly endpoint: string }[]> {
  return reader
    .query<PredictionsTables>()
    .selectFrom('prediction_spools')
    .innerJoin('prediction_replicas', 'prediction_replicas.replica', 'prediction_spools.replica')
    .innerJoin('prediction_progress', 'prediction_progress.replica', 'prediction_spools.replica')
    .select(['prediction_progress.project', 'prediction_progress.endpoint'])
    .where('prediction_replicas.reported_ms', '>=', sinceMs)
    .whereRef('prediction_spools.wanted_offset', '>', 'prediction_spools.next_offset')
    .distinct()
    .execute();
}

/** Since when a replica has had records that were not taken; undefined when all is taken. */
export async function findBehindSince(reader: Reader, replica: string): Promise<number | undefined> {
  const row = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_spools')
    .select((select) => select.fn.min<number | null>('prediction_spools.behind_since_ms').as('since_ms'))
    .where('prediction_spools.replica', '=', replica)
    .executeTakeFirst();
  return row?.since_ms ?? undefined;
}

/** Projects with an endpoint at which a replica has answered; `default` when there is none yet. */
export async function listProjectsOf(reader: Reader, replica: string): Promise<readonly string[]> {
  const rows = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_progress')
    .select('prediction_progress.project')
    .where('prediction_progress.replica', '=', replica)
    .distinct()
    .orderBy('prediction_progress.project')
    .execute();
  return rows.length === 0 ? ['default'] : rows.map(({ project }) => project);
}

/** False for a report that is not newer than the last one. */
export async function upsertReplica(
  unit: Unit,
  report: { readonly replica: string; readonly boot: string; readonly sequence: number },
): Promise<boolean> {
  const known = await unit
    .query<PredictionsTables>()
    .selectFrom('prediction_replicas')
    .select(['prediction_replicas.boot', 'prediction_replicas.sequence'])
    .where('prediction_replicas.replica', '=', report.replica)
    .executeTakeFirst();
  if (known !== undefined) {
    if (report.boot < known.boot) return false;
    if (report.boot === known.boot && report.sequence <= known.sequence) return false;
  }
  const { replica, boot, sequence } = report;
  await unit
    .query<PredictionsTables>()
    .insertInto('prediction_replicas')
    .values({ replica, boot, sequence, reported_ms: unit.nowMs })
    .onConflict((conflict) => conflict.column('replica').doUpdateSet({ boot, sequence, reported_ms: unit.nowMs }))
    .execute();
  return true;
}

/** Event times only grow. */
export async function raiseProgress(
  unit: Unit,
  replica: string,
  endpoints: readonly { readonly project: string; readonly endpoint: string; readonly greatestMs: number }[],
): Promise<void> {
  if (endpoints.length === 0) return;
  await unit
    .query<PredictionsTables>()
    .insertInto('prediction_progress')
    .values(
      endpoints.map(({ project, endpoint, greatestMs }) => ({
        project,
        endpoint,
        replica,
        greatest_event_ms: greatestMs,
      })),
    )
    .onConflict((conflict) =>
      conflict
        .columns(['project', 'endpoint', 'replica'])
        .doUpdateSet((set) => ({ greatest_event_ms: set.ref('excluded.greatest_event_ms') }))
        .whereRef('prediction_progress.greatest_event_ms', '<', 'excluded.greatest_event_ms'),
    )
    .execute();
}

/** Endpoints whose replicas have reported an event time beyond what is settled. */
export async function listUnsettled(reader: Reader): Promise<
  readonly {
    readonly project: string;
    readonly endpoint: string;
    readonly settledMs?: number;
    readonly greatestMs: number;
  }[]
> {
  const rows = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_progress')
    .innerJoin('prediction_endpoints', (join) =>
      join
        .onRef('prediction_endpoints.project', '=', 'prediction_progress.project')
        .onRef('prediction_endpoints.endpoint', '=', 'prediction_progress.endpoint'),
    )
    .select((select) => [
      'prediction_progress.project',
      'prediction_progress.endpoint',
      'prediction_endpoints.settled_ms',
      select.fn.max('prediction_progress.greatest_event_ms').as('greatest_ms'),
    ])
    .where((where) =>
      where.or([
        where('prediction_endpoints.settled_ms', 'is', null),
        where('prediction_progress.greatest_event_ms', '>', where.ref('prediction_endpoints.settled_ms')),
      ]),
    )
    .groupBy(['prediction_progress.project', 'prediction_progress.endpoint', 'prediction_endpoints.settled_ms'])
    .execute();
  return rows.map((row) => ({
    project: row.project,
    endpoint: row.endpoint,
    ...(row.settled_ms !== null && { settledMs: row.settled_ms }),
    greatestMs: row.greatest_ms,
  }));
}

/** Endpoints on the wall clock that have answered, and whose watermark lies in an earlier hour than `upToMs`. */
export async function listQuiet(
  reader: Reader,
  upToMs: number,
): Promise<readonly { readonly project: string; readonly endpoint: string }[]> {
  return reader
    .query<PredictionsTables>()
    .selectFrom('prediction_endpoints')
    .select(['prediction_endpoints.project', 'prediction_endpoints.endpoint'])
    .where('prediction_endpoints.replay', '=', 0)
    .where('prediction_endpoints.settled_ms', '<', Math.floor(upToMs / hourMs) * hourMs)
    .orderBy('prediction_endpoints.project')
    .orderBy('prediction_endpoints.endpoint')
    .execute();
}
