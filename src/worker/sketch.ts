import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { countScores, defaultScoreBins } from '#statistics/score-counts';
import { type Session, type TableColumn, withSession } from './session.ts';
import { quoteName, quoteNumbers, quoteText, readParquet } from './sql-quote.ts';
import { requireColumn, toMs } from './table-columns.ts';
import type { TaskContext } from './task-context.ts';

type Sketch = WorkerTaskInput<'sketch'>;
type Revision = Sketch['revisions'][number];
type Hour = WorkerTaskOutput<'sketch'>['hours'][number];
type Column = Revision['columns'][number];

const hourMs = 3_600_000;

/** Integer counts per revision, column and hour of event time. Counts over equal edges and categories add up. */
export async function sketch(context: TaskContext, input: Sketch): Promise<WorkerTaskOutput<'sketch'>> {
  return withSession(context, { read: input.paths }, async (session) => {
    const relation = readParquet(input.paths);
    const columns = await session.columns(relation);
    const time = requireColumn(columns, input.eventTime, 'the records');
    requireColumn(columns, input.revision, 'the records');
    const total = Number((await session.row(`select count(*) as n from ${relation}`))['n']);
    const hour = `(${toMs(quoteName(time.name), time, 'the records')} // ${hourMs}) * ${hourMs}`;
    const hours: Hour[] = [];
    for (const revision of input.revisions) {
      const rows = `(select *, ${hour} as _tidemill_hour from ${relation} where ${quoteName(input.revision)}::varchar = ${quoteText(revision.revision)} and ${quoteName(time.name)} is not null)`;
      hours.push(...(await sketchRevision(session, rows, columns, revision)));
    }
    return { hours, skipped: total - hours.reduce((sum, { rows }) => sum + rows, 0) };
  });
}

async function sketchRevision(
  session: Session,
  rows: string,
  columns: readonly TableColumn[],
  { revision, columns: wanted, scored }: Revision,
): Promise<readonly Hour[]> {
  const numeric = wanted.filter((column) => column.kind === 'numeric');
  for (const { name } of wanted) requireColumn(columns, name, 'the records');
  const counted = await session.rows(
    `select _tidemill_hour as hour, count(*) as rows${numeric.map((column, place) => cellsOf(column, place)).join('')} from ${rows} group by hour order by hour`,
  );
  const cells = counted.map((row) =>
    Object.fromEntries(numeric.map(({ name, edges }, place) => [name, toCells(row, place, edges)])),
  );
  const categories = new Map<string, ReadonlyMap<number, Categories>>();
  for (const column of wanted)
    if (column.kind === 'categorical') categories.set(column.name, await countCategories(session, rows, column));
  const scores = scored === undefined ? undefined : await readScored(session, rows, scored);
  return counted.map((row, index) => {
    const at = Number(row['hour']);
    return {
      revision,
      hourMs: at,
      rows: Number(row['rows']),
      cells: cells[index] ?? {},
      categories: Object.fromEntries(
        [...categories].flatMap(([name, byHour]) => {
          const found = byHour.get(at);
          return found === undefined ? [] : [[name, found]];
        }),
      ),
      ...(scores && { scored: countScores(scores.get(at) ?? [], scored?.bins ?? defaultScoreBins) }),
    };
  });
}

/** A cell is closed above, as in `#statistics/histogram`; NaN is no value. */
function cellsOf({ name, edges }: Extract<Column, { readonly kind: 'numeric' }>, place: number): string {
  const value = `case when isnan(${quoteName(name)}::double) then null else ${quoteName(name)}::double end`;
  return `, map_values(histogram(${value}, ${quoteNumbers(edges)})) as cells_${place}, count(${value}) as values_${place}`;
}

function toCells(row: Readonly<Record<string, unknown>>, place: number, edges: readonly number[]) {
  const values = Number(row[`values_${place}`]);
  const found = (row[`cells_${place}`] as { readonly items: readonly bigint[] } | null)?.items.map(Number) ?? [];
  // The open cell at the end is there only when something is in it.
  const counts = Array.from({ length: edges.length + 1 }, (_, cell) => found[cell] ?? 0);
  return { counts, nulls: Number(row['rows']) - values };
}

interface Categories {
  readonly counts: readonly number[];
  readonly other: number;
  readonly nulls: number;
}

async function countCategories(
  session: Session,
  rows: string,
  { name, categories }: Extract<Column, { readonly kind: 'categorical' }>,
): Promise<ReadonlyMap<number, Categories>> {
  const found = await session.rows(
    `select _tidemill_hour as hour, ${quoteName(name)}::varchar as value, count(*) as n from ${rows} group by all`,
  );
  const placeOf = new Map(categories.map((category, place) => [category, place]));
  const byHour = new Map<number, { counts: number[]; other: number; nulls: number }>();
  for (const row of found) {
    const hour = Number(row['hour']);
    const counts = byHour.get(hour) ?? { counts: categories.map(() => 0), other: 0, nulls: 0 };
    byHour.set(hour, counts);
    const n = Number(row['n']);
    const place = typeof row['value'] === 'string' ? placeOf.get(row['value']) : undefined;
    if (row['value'] === null) counts.nulls += n;
    else if (place === undefined) counts.other += n;
    else counts.counts[place] = n;
  }
  return byHour;
}

async function readScored(
  session: Session,
  rows: string,
  { score, label }: NonNullable<Revision['scored']>,
): Promise<ReadonlyMap<number, readonly { readonly label: number; readonly score: number | null }[]>> {
  const byHour = new Map<number, { label: number; score: number | null }[]>();
  const select = `select _tidemill_hour::double, ${quoteName(score)}::double, ${quoteName(label)}::double from ${rows} where ${quoteName(label)} is not null`;
  for await (const chunk of session.chunks(select))
    for (const [hour, value, known] of chunk.getRows() as [number, number | null, number][]) {
      const pairs = byHour.get(hour) ?? [];
      byHour.set(hour, pairs);
      pairs.push({ label: known, score: value });
    }
  return byHour;
}
