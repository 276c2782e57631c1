import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { dayMs } from '#contracts/worker-predictions';
import { pairedBootstrap } from '#statistics/paired';
import { type Row, withSession } from './session.ts';
import { quoteText, readParquet } from './sql-quote.ts';
import type { TaskContext } from './task-context.ts';

type Input = WorkerTaskInput<'log-compare'>;
type Group = WorkerTaskOutput<'log-compare'>['total'];
type Metric = NonNullable<Group['auc']>;

interface Pair {
  readonly eventMs: number;
  readonly label: number;
  readonly live: number;
  readonly shadow: number;
  readonly model: string;
}

/** Pairs each live row with the shadow's of the same request; truth and both scores must be known. */
export function compareShadow(context: TaskContext, input: Input): Promise<WorkerTaskOutput<'log-compare'>> {
  return withSession(context, { read: [...input.rows, ...input.truths] }, async (session) => {
    const rows =
      input.rows.length === 0 || input.truths.length === 0 ? [] : await session.rows(pairsSql(input), { kind: 'task' });
    const pairs = rows.map(toPair);
    const groups =
      input.by === 'all' ? [] : byMonth(pairs).map(([fromMs, toMs, part]) => compare(part, fromMs, toMs, input));
    return { groups, total: compare(pairs, input.fromMs, input.toMs, input) };
  });
}

function pairsSql(input: Input): string {
  const inRange = `event_ms >= ${input.fromMs} and event_ms < ${input.toMs}`;
  return `with answered as (
      select prediction_id, truth_id, row, role, model_ref, event_ms, score from ${readParquet(input.rows)}
      where ${inRange} and status = 'ok' and score is not null and not isnan(score)),
    truth as (
      select truth_id, row, value from ${readParquet(input.truths)} where ${inRange}
      qualify row_number() over (partition by truth_id, row order by observed_ms desc, recorded_ms desc) = 1)
    select live.event_ms, truth.value, live.score as live, shadow.score as shadow, live.model_ref as model
    from answered live
      join answered shadow on shadow.truth_id = live.prediction_id and shadow.row = live.row
        and shadow.role = 'shadow' and shadow.model_ref = ${quoteText(input.shadowModel)}
      join truth on truth.truth_id = live.prediction_id and truth.row = live.row
    where live.role = 'primary' and truth.value in (0, 1)
    order by live.event_ms, live.prediction_id, live.row`;
}

const toPair = (row: Row): Pair => ({
  eventMs: Number(row['event_ms']),
  label: Number(row['value']),
  live: Number(row['live']),
  shadow: Number(row['shadow']),
  model: String(row['model']),
});

/** Calendar months, UTC, that have pairs. */
function byMonth(pairs: readonly Pair[]): readonly (readonly [number, number, readonly Pair[]])[] {
  const months = new Map<number, Pair[]>();
  for (const pair of pairs) {
    const at = new Date(pair.eventMs);
    const start = Date.UTC(at.getUTCFullYear(), at.getUTCMonth());
    const month = months.get(start);
    if (month === undefined) months.set(start, [pair]);
    else month.push(pair);
  }
  return [...months].map(([start, part]) => {
    const at = new Date(start);
    return [start, Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1), part];
  });
}

function compare(pairs: readonly Pair[], fromMs: number, toMs: number, input: Input): Group {
  const clusters = pairs.map(({ eventMs }) => Math.floor(eventMs / dayMs));
  const models = new Map<string, number>();
  for (const { model } of pairs) models.set(model, (models.get(model) ?? 0) + 1);
  const positives = pairs.filter(({ label }) => label === 1).length;
  const auc = positives > 0 && positives < pairs.length ? metric('auc') : undefined;
  const logLoss = pairs.length > 0 ? metric('log-loss') : undefined;
  return {
    fromMs,
    toMs,
    rows: pairs.length,
    positives,
    days: new Set(clusters).size,
    liveModels: [...models].map(([model, rows]) => ({ model, rows })),
    ...(auc && { auc }),
    ...(logLoss && { logLoss }),
  };

  function metric(name: 'auc' | 'log-loss'): Metric | undefined {
    const result = pairedBootstrap(
      {
        labels: pairs.map(({ label }) => label),
        first: pairs.map(({ shadow }) => shadow),
        second: pairs.map(({ live }) => live),
        clusters,
      },
      { metric: name, resamples: input.resamples, confidence: input.confidence, seed: input.seed },
    );
    if (result === undefined) return undefined;
    const { first: shadow, second: live, difference, interval } = result;
    return { shadow, live, difference, lower: interval.lower, upper: interval.upper };
  }
}
