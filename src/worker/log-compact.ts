import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { dayMs } from '#contracts/worker-predictions';
import { withSession } from './session.ts';
import { readParquet } from './sql-quote.ts';
import type { TaskContext } from './task-context.ts';

/**
 * One event day of many files becomes one file, sorted by id, so that a look-up reads few of its rows.
 *
 * A truth that is said again with the same value and a later `observed_at` is written when it comes: until then, another
 * value observed in between would win that must not. Here such rows are folded: of a row's truths, in the order in which
 * they count, those stay that changed the value, and the last one, whose `observed_at` is the one to beat.
 */
export function compactDay(
  context: TaskContext,
  input: WorkerTaskInput<'log-compact'>,
): Promise<WorkerTaskOutput<'log-compact'>> {
  const id = input.kind === 'rows' ? 'prediction_id' : 'truth_id';
  const order = input.kind === 'rows' ? 'prediction_id, row' : 'truth_id, row, observed_ms, recorded_ms';
  const access = { read: input.paths, write: [input.outputPath] };
  return withSession(context, access, async (session) => {
    await session.run(
      `create table read_rows as select * from ${readParquet(input.paths)}
       where event_ms >= ${input.dayMs} and event_ms < ${input.dayMs + dayMs}`,
    );
    await session.run(
      input.kind === 'rows' ? 'create view day_rows as from read_rows' : `create table day_rows as ${foldedTruth}`,
    );
    await session.writeParquet(input.outputPath, `select * from day_rows order by ${order}`);
    const range = await session.row(
      `select count(*) as rows, coalesce(min(${id}), '') as min_id, coalesce(max(${id}), '') as max_id,
         coalesce(min(event_ms), 0) as min_event_ms, coalesce(max(event_ms), 0) as max_event_ms,
         (select count(*) from read_rows) - count(*) as folded from day_rows`,
    );
    return {
      dayMs: input.dayMs,
      rows: Number(range['rows']),
      minId: String(range['min_id']),
      maxId: String(range['max_id']),
      minEventMs: Number(range['min_event_ms']),
      maxEventMs: Number(range['max_event_ms']),
      folded: Number(range['folded']),
    };
  });
}

const foldedTruth = `select * from read_rows
  window counting as (partition by truth_id, row order by observed_ms, recorded_ms)
  qualify row_number() over counting = 1 or lead(observed_ms) over counting is null
    or value is distinct from lag(value) over counting`;
