import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import type { PredictionsTables, WaitingRow } from './predictions-tables.ts';

/** A pushed truth whose prediction is not there yet. */
export interface WaitingTruth {
  readonly lookup: string;
  readonly predictionId: string | undefined;
  readonly row: number | undefined;
  readonly key: string | undefined;
  readonly eventMs: number | undefined;
  readonly value: number | null;
  readonly observedMs: number;
  readonly source: string;
}

const rowToWaiting = (row: Omit<WaitingRow, 'project' | 'endpoint' | 'expires_ms'>): WaitingTruth => ({
  lookup: row.lookup,
  predictionId: row.prediction_id ?? undefined,
  row: row.prediction_row ?? undefined,
  key: row.key ?? undefined,
  eventMs: row.event_ms ?? undefined,
  value: row.value,
  observedMs: row.observed_ms,
  source: row.source,
});

const waitingPerStatement = 500;

/** Of two for the same prediction the one observed later stays. */
export async function upsertWaiting(
  unit: Unit,
  project: string,
  endpoint: string,
  truths: readonly WaitingTruth[],
  expiresMs: number,
): Promise<void> {
  for (let at = 0; at < truths.length; at += waitingPerStatement)
    await unit
      .query<PredictionsTables>()
      .insertInto('prediction_truth_waiting')
      .values(
        truths.slice(at, at + waitingPerStatement).map((truth) => ({
          project,
          endpoint,
          lookup: truth.lookup,
          prediction_id: truth.predictionId ?? null,
          prediction_row: truth.row ?? null,
          key: truth.key ?? null,
          event_ms: truth.eventMs ?? null,
          value: truth.value,
          observed_ms: truth.observedMs,
          source: truth.source,
          expires_ms: expiresMs,
        })),
      )
      .onConflict((conflict) =>
        conflict
          .columns(['project', 'endpoint', 'lookup'])
          .doUpdateSet((set) => ({
            value: set.ref('excluded.value'),
            observed_ms: set.ref('excluded.observed_ms'),
            source: set.ref('excluded.source'),
            expires_ms: set.ref('excluded.expires_ms'),
          }))
          .whereRef('prediction_truth_waiting.observed_ms', '<=', 'excluded.observed_ms'),
      )
      .execute();
}

/** Those that a row of these segments may answer: by id span, or by event time. */
export async function listWaiting(
  reader: Reader,
  span: {
    readonly project: string;
    readonly endpoint: string;
    readonly fromId: string;
    readonly toId: string;
    readonly fromMs: number;
    readonly toMs: number;
  },
): Promise<readonly WaitingTruth[]> {
  const rows = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_truth_waiting')
    .select([
      'prediction_truth_waiting.lookup',
      'prediction_truth_waiting.prediction_id',
      'prediction_truth_waiting.prediction_row',
      'prediction_truth_waiting.key',
      'prediction_truth_waiting.event_ms',
      'prediction_truth_waiting.value',
      'prediction_truth_waiting.observed_ms',
      'prediction_truth_waiting.source',
    ])
    .where('prediction_truth_waiting.project', '=', span.project)
    .where('prediction_truth_waiting.endpoint', '=', span.endpoint)
    .where((where) =>
      where.or([
        where.and([
          where('prediction_truth_waiting.prediction_id', '>=', span.fromId),
          where('prediction_truth_waiting.prediction_id', '<=', span.toId),
        ]),
        where.and([
          where('prediction_truth_waiting.event_ms', '>=', span.fromMs),
          where('prediction_truth_waiting.event_ms', '<=', span.toMs),
        ]),
      ]),
    )
    .orderBy('prediction_truth_waiting.lookup')
    .execute();
  return rows.map(rowToWaiting);
}

export async function countWaiting(reader: Reader, project: string, endpoint: string): Promise<number> {
  const row = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_truth_waiting')
    .select((sums) => sums.fn.countAll<number>().as('waiting'))
    .where('prediction_truth_waiting.project', '=', project)
    .where('prediction_truth_waiting.endpoint', '=', endpoint)
    .executeTakeFirstOrThrow();
  return row.waiting;
}

/** Those that found their prediction; one that was said again meanwhile, observed later, stays. */
export async function deleteWaiting(
  unit: Unit,
  project: string,
  endpoint: string,
  lookups: readonly string[],
  observedUpToMs: number,
): Promise<void> {
  if (lookups.length === 0) return;
  await unit
    .query<PredictionsTables>()
    .deleteFrom('prediction_truth_waiting')
    .where('prediction_truth_waiting.project', '=', project)
    .where('prediction_truth_waiting.endpoint', '=', endpoint)
    .where(inList(unit, 'prediction_truth_waiting.lookup', lookups))
    .where('prediction_truth_waiting.observed_ms', '<=', observedUpToMs)
    .execute();
}

/** How many have waited in vain. */
export async function deleteExpired(unit: Unit, project: string, endpoint: string): Promise<number> {
  const { numDeletedRows } = await unit
    .query<PredictionsTables>()
    .deleteFrom('prediction_truth_waiting')
    .where('prediction_truth_waiting.project', '=', project)
    .where('prediction_truth_waiting.endpoint', '=', endpoint)
    .where('prediction_truth_waiting.expires_ms', '<=', unit.nowMs)
    .executeTakeFirst();
  return Number(numDeletedRows);
}

/** Endpoints for which a truth has waited in vain. */
export async function listExpired(
  reader: Reader,
  nowMs: number,
): Promise<readonly { readonly project: string; readonly endpoint: string }[]> {
  return reader
    .query<PredictionsTables>()
    .selectFrom('prediction_truth_waiting')
    .select(['prediction_truth_waiting.project', 'prediction_truth_waiting.endpoint'])
    .distinct()
    .where('prediction_truth_waiting.expires_ms', '<=', nowMs)
    .execute();
}
