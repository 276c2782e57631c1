import type { TensorSignature } from '#contracts/tensor';
import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { profileTable } from './profile.ts';
import { scoreRows } from './score-rows.ts';
import { withSession } from './session.ts';
import { readParquet } from './sql-quote.ts';
import type { TaskContext } from './task-context.ts';
import { timeSpan } from './time-span.ts';

type Description = WorkerTaskOutput<'describe-model'>;

/** Scores of more rows than these would tell nothing new of their distribution. */
const scoredRows = 200_000;
const table = '_tidemill_scores';

/**
 * A model's signature with what its training rows tell: an input is nullable when they had nulls there, or when it is
 * looked up, since a look-up may miss tomorrow what it always found; their distributions are what drift is measured
 * against.
 */
export async function describeModel(
  context: TaskContext,
  input: WorkerTaskInput<'describe-model'>,
): Promise<Description> {
  return withSession(context, { read: input.trainPaths }, async (session) => {
    const relation = readParquet(input.trainPaths);
    const rows = Number((await session.row(`select count(*) as n from ${relation}`))['n']);
    const scored = await scoreRows(session, {
      modelPath: input.modelPath,
      relation,
      score: input.score,
      columns: input.columns,
      label: undefined,
      every: Math.max(1, Math.ceil(rows / scoredRows)),
    });
    const profiled = await profileTable(session, relation, scored.inputColumns, {});
    await session.run(`create temp table ${table} (score double)`);
    const appender = await session.appenderOf(table);
    for (const value of scored.scores) {
      appender.appendDouble(value);
      appender.endRow();
    }
    appender.closeSync();
    const [score] = (await profileTable(session, table, undefined, {})).columns;
    if (score === undefined) throw new Error('a table of one column has no profile');
    const time = input.time === undefined ? undefined : await timeSpan(session, relation, input.time);
    const { inputs, outputs } = scored.signature;
    const isLookedUp = (name: string): boolean => (input.lookups ?? []).some((prefix) => name.startsWith(prefix));
    const missing = new Set(
      profiled.columns.filter((column) => column.missing > 0 || isLookedUp(column.name)).map(({ name }) => name),
    );
    const anyMissing = (tensor: TensorSignature): boolean =>
      input.columns === undefined ? missing.has(tensor.name) : missing.size > 0;
    return {
      inputs: inputs.map((tensor) => toTensor(tensor, anyMissing(tensor))),
      outputs: outputs.map((tensor) => toTensor(tensor, false)),
      score: input.score,
      train: {
        rows: profiled.rows,
        ...(time?.span && { time: { column: time.span.column, fromMs: time.span.fromMs, untilMs: time.span.untilMs } }),
        columns: profiled.columns,
        score,
      },
    };
  });
}

const nullables = ['FP32', 'FP64', 'BYTES'];

function toTensor({ name, datatype, shape }: TensorSignature, nullable: boolean): Description['inputs'][number] {
  return { name, datatype, shape: [...shape], ...(nullable && nullables.includes(datatype) && { nullable: true }) };
}
