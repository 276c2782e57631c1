import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { type TableColumn, withSession } from './session.ts';
import { quoteName, quoteText, readParquet } from './sql-quote.ts';
import { familyOf, requireColumn, toMs } from './table-columns.ts';
import type { TaskContext } from './task-context.ts';
import { workerErrors } from './worker-errors.ts';

type TruthJoin = WorkerTaskInput<'truth-join'>;

/** Predictions with their truth, by id or by key and event time; the latest observation of each counts. */
export async function truthJoin(context: TaskContext, input: TruthJoin): Promise<WorkerTaskOutput<'truth-join'>> {
  const { predictions, truth, outputPath } = input;
  const access = { read: [...predictions.paths, ...truth.paths], write: [outputPath] };
  return withSession(context, access, async (session) => {
    const [ours, theirs] = [readParquet(predictions.paths), readParquet(truth.paths)];
    const sides = { predicted: await session.columns(ours), known: await session.columns(theirs) };
    const { left, right } = matchingOf(input, sides);
    const failure = { kind: 'sql', what: `truth "${truth.value}"` } as const;
    await session.run(
      `create temp table _tidemill_truth as select ${right.join(', ')}, (${truth.value}\n)::double as value,
       ${observedAt(truth, sides.known)} as observed_at from ${theirs}`,
      failure,
    );
    await session.run(
      `create temp table _tidemill_predicted as select ${quoteName(predictions.id)}::varchar as prediction_row, ${left.join(', ')} from ${ours}`,
    );
    const same = left.map((_, place) => `p.k${place} = t.k${place}`).join(' and ');
    const file = await session.writeParquet(
      outputPath,
      `select p.prediction_row, t.value, t.observed_at, ${truth.recordedAtMs}::bigint as recorded_at, ${quoteText(truth.source)} as source
       from _tidemill_predicted p join _tidemill_truth t on ${same}
       qualify row_number() over (partition by p.prediction_row order by t.observed_at desc nulls last, t.value desc nulls last) = 1
       order by p.prediction_row`,
    );
    const counts = await session.row(
      `select count(*) as matched, count(*) filter (value is null) as unknown from ${readParquet([outputPath])}`,
    );
    const leftOver = await session.row(
      `select count(*) as n from _tidemill_truth t where not exists (from _tidemill_predicted p where ${same})`,
    );
    return {
      ...file,
      matched: Number(counts['matched']),
      unknown: Number(counts['unknown']),
      unmatched: Number(leftOver['n']),
    };
  });
}

/** What must be equal on both sides, as columns k0, k1. */
function matchingOf(
  { predictions, truth }: TruthJoin,
  { predicted, known }: { readonly predicted: readonly TableColumn[]; readonly known: readonly TableColumn[] },
): { readonly left: readonly string[]; readonly right: readonly string[] } {
  requireColumn(predicted, predictions.id, 'the predictions');
  if (truth.id !== undefined) {
    requireColumn(known, truth.id, 'the truth');
    return { left: [`${quoteName(predictions.id)}::varchar as k0`], right: [`${quoteName(truth.id)}::varchar as k0`] };
  }
  if (
    predictions.key === undefined ||
    predictions.time === undefined ||
    truth.key === undefined ||
    truth.time === undefined
  )
    throw workerErrors.TASK_INPUT_INVALID('truth-join', 'without an id both sides need key and time');
  const [ourTime, theirTime] = [
    requireColumn(predicted, predictions.time, 'the predictions'),
    requireColumn(known, truth.time, 'the truth'),
  ];
  const ourKey = requireColumn(predicted, predictions.key, 'the predictions');
  const parts = truth.key.map((name) => requireColumn(known, name, 'the truth'));
  return {
    left: [
      `${quoteName(ourKey.name)}::varchar as k0`,
      `${toMs(quoteName(ourTime.name), ourTime, 'the predictions')} as k1`,
    ],
    right: [`${encodeKey(parts)} as k0`, `${toMs(quoteName(theirTime.name), theirTime, 'the truth')} as k1`],
  };
}

/** `encodeKey` of `#contracts/entity-key` in SQL; null when a value is null. */
function encodeKey(columns: readonly TableColumn[]): string {
  const [only] = columns;
  if (columns.length === 1 && only !== undefined) return keyText(only);
  const items = columns.map((column) =>
    ['text', 'time', 'other'].includes(familyOf(column.type))
      ? `to_json(${keyText(column)})::varchar`
      : keyText(column),
  );
  return `'[' || ${items.join(" || ',' || ")} || ']'`;
}

const instant = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)`;

function keyText(column: TableColumn): string {
  const value = quoteName(column.name);
  switch (familyOf(column.type)) {
    case 'time':
      return instantText(`${value}::timestamp`);
    case 'text':
      return `case when regexp_full_match(${value}::varchar, ${quoteText(instant)}) then coalesce(${instantText(`try_cast(${value}::varchar as timestamptz)::timestamp`)}, ${value}::varchar) else ${value}::varchar end`;
    case 'number':
      // As JavaScript writes numbers: 3, not 3.0.
      return `case when ${value} = trunc(${value}) and abs(${value}) < 1e15 then ${value}::bigint::varchar else ${value}::varchar end`;
    default:
      return `${value}::varchar`;
  }
}

function instantText(timestamp: string): string {
  return `replace(strftime(${timestamp}, '%Y-%m-%dT%H:%M:%S.%gZ'), '.000Z', 'Z')`;
}

function observedAt(truth: TruthJoin['truth'], columns: readonly TableColumn[]): string {
  if (truth.observedAt === undefined) return `${truth.observedAtMs ?? truth.recordedAtMs}::bigint`;
  return toMs(quoteName(truth.observedAt), requireColumn(columns, truth.observedAt, 'the truth'), 'the truth');
}
