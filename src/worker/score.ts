import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { scoreRows } from './score-rows.ts';
import { type Session, withSession } from './session.ts';
import { readParquet } from './sql-quote.ts';
import type { TaskContext } from './task-context.ts';

const table = '_tidemill_scored';

/** Scores rows with a model → a file of row, score and label, or the values themselves. */
export async function score(context: TaskContext, input: WorkerTaskInput<'score'>): Promise<WorkerTaskOutput<'score'>> {
  const { modelPath, paths, columns, label, score: output, outputPath, values = false } = input;
  const access = { read: paths, ...(outputPath !== undefined && { write: [outputPath] }) };
  return withSession(context, access, async (session) => {
    const scored = await scoreRows(session, { modelPath, relation: readParquet(paths), score: output, columns, label });
    return {
      n: scored.scores.length,
      nLabelled: countNumbers(scored.labels),
      unscored: scored.scores.length - countNumbers(scored.scores),
      ...(outputPath !== undefined && { file: await writeScores(session, outputPath, scored, label !== undefined) }),
      ...(values && { scores: toJson(scored.scores), ...(label !== undefined && { labels: toJson(scored.labels) }) }),
    };
  });
}

async function writeScores(
  session: Session,
  path: string,
  { scores, labels }: { readonly scores: Float64Array; readonly labels: Float64Array },
  labelled: boolean,
) {
  await session.run(`create temp table ${table} ("row" bigint, score double${labelled ? ', label double' : ''})`);
  const appender = await session.appenderOf(table);
  const append = (value: number | undefined): void => {
    if (value === undefined || Number.isNaN(value)) appender.appendNull();
    else appender.appendDouble(value);
  };
  for (let row = 0; row < scores.length; row += 1) {
    appender.appendBigInt(BigInt(row));
    append(scores[row]);
    if (labelled) append(labels[row]);
    appender.endRow();
  }
  appender.closeSync();
  return session.writeParquet(path, `select * from ${table} order by "row"`);
}

function countNumbers(values: Float64Array): number {
  let count = 0;
  for (const value of values) if (!Number.isNaN(value)) count += 1;
  return count;
}

function toJson(values: Float64Array): readonly (number | null)[] {
  return Array.from(values, (value) => (Number.isFinite(value) ? value : null));
}
