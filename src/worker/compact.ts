import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { withSession } from './session.ts';
import { quoteName, quoteNames, readParquet } from './sql-quote.ts';
import { requireColumn } from './table-columns.ts';
import type { TaskContext } from './task-context.ts';

/** Many files → one, ordered; of rows that agree on `dedupeBy` the last in input order stays. */
export async function compact(
  context: TaskContext,
  { inputs, outputPath, orderBy, dedupeBy }: WorkerTaskInput<'compact'>,
): Promise<WorkerTaskOutput<'compact'>> {
  return withSession(context, { read: inputs, write: [outputPath] }, async (session) => {
    const relation = readParquet(inputs);
    const columns = await session.columns(relation);
    for (const name of [...orderBy, ...(dedupeBy ?? [])]) requireColumn(columns, name, 'the files');
    const total = Number((await session.row(`select count(*) as n from ${relation}`))['n']);
    const last =
      dedupeBy === undefined
        ? ''
        : ` qualify row_number() over (partition by ${quoteNames(dedupeBy)} order by file_index desc, file_row_number desc) = 1`;
    const order = [...orderBy.map((name) => `${quoteName(name)} asc nulls last`), 'file_index', 'file_row_number'];
    const names = quoteNames(columns.map(({ name }) => name));
    const file = await session.writeParquet(
      outputPath,
      `select ${names} from ${relation}${last} order by ${order.join(', ')}`,
    );
    return { ...file, dropped: total - file.rows };
  });
}
