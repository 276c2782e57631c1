import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { toJsonValue } from './json-value.ts';
import { withSession } from './session.ts';
import { quoteText, readParquet } from './sql-quote.ts';
import type { TaskContext } from './task-context.ts';

/** All rows of one prediction with the truth that counts for each. */
export function lookUp(
  context: TaskContext,
  input: WorkerTaskInput<'log-lookup'>,
): Promise<WorkerTaskOutput<'log-lookup'>> {
  return withSession(context, { read: [...input.rows, ...input.truths] }, async (session) => {
    const id = quoteText(input.predictionId);
    const found = await session.rows(
      `select * from ${readParquet(input.rows)} where prediction_id = ${id} order by row`,
    );
    // a file has the tensors of all its records: what is null was not this one's (a NaN is a value)
    const rows = found.map((row) =>
      Object.fromEntries(
        Object.entries(row).flatMap(([name, value]) =>
          value === null && isTensor(name) ? [] : [[name, toJsonValue(value)]],
        ),
      ),
    );
    const truthId = rows[0]?.['truth_id'];
    if (typeof truthId !== 'string' || input.truths.length === 0) return { rows, truths: [] };
    const truths = await session.rows(
      `select row, value, observed_ms, recorded_ms, source from ${readParquet(input.truths)}
       where truth_id = ${quoteText(truthId)}
       qualify row_number() over (partition by row order by observed_ms desc, recorded_ms desc) = 1 order by row`,
    );
    return {
      rows,
      truths: truths.map((truth) => ({
        row: Number(truth['row']),
        value: truth['value'] === null ? null : Number(truth['value']),
        observedMs: Number(truth['observed_ms']),
        recordedMs: Number(truth['recorded_ms']),
        source: String(truth['source']),
      })),
    };
  });
}

const isTensor = (column: string): boolean => /^(?:in|out)(?:_bytes)?\./.test(column);
