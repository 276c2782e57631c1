import { bytesPerSlot, createLatestRows, type LatestRows } from './latest-rows.ts';
import { instantOf, type MatchedView, type MatchPlan, outputOf } from './match-plan.ts';
import type { Session } from './session.ts';
import { quoteName } from './sql-quote.ts';
import { familyOf } from './table-columns.ts';
import { createNumbersTable, readNumbers } from './typed-columns.ts';

/** Doubles tell whole numbers apart up to here: 285 years in microseconds, 104 days in nanoseconds. */
const exact = 2n ** 53n;
/** So few rows are found by number without reading the row groups between them. */
const maxListed = 1_000;

/**
 * One scan of the view's keys and times, unsorted, beside the spine's instants in arrays (`latest-rows.ts`), finds the
 * number of the row that counts; the columns are fetched by number when the result is written. Rows that tie are fetched
 * before, and compared as the database compares.
 *
 * @returns undefined where it cannot be done: instants too many for memory or too far apart for doubles, too many ties, or
 *   a column of the view hides the number of its rows
 */
export async function matchByScan(session: Session, plan: MatchPlan): Promise<MatchedView | undefined> {
  const { view, index, relation, range } = plan;
  const number = await rowNumberOf(session, plan);
  if (number === undefined || range === undefined || !(await isExact(session, plan, range))) return undefined;
  const entities = `_tidemill_entities_${index}`;
  const latest = await readInstants(session, plan, range.high, entities);
  if (latest === undefined) return undefined;

  await offerRows(session, plan, { latest, entities, number, high: range.high });
  const ties = latest.ties();
  if (ties === undefined) return undefined;
  if (ties.length > 0) await chooseAmong(session, plan, { latest, ties, number });

  const { asked, rows } = latest.settle(plan.maxAge === undefined ? Number.POSITIVE_INFINITY : Number(plan.maxAge));
  const [found, match] = [`_tidemill_found_${index}`, `_tidemill_match_${index}`];
  await createNumbersTable(session, found, { r: asked, n: rows });
  const columns = plan.features.map(quoteName).join(', ');
  const window = 'paths' in view && view.paths.length > 1 ? plan.window : '';
  return {
    name: view.name,
    // The filter is always true. DuckDB hands the numbers that it looks for down to the scan as a Bloom filter only when the side
    // that it builds from is filtered, and then decodes the columns of those rows alone.
    joins: `left join (select r, n::bigint as n from ${found} where hash(n) >= 0) as ${found} on ${found}.r = _tidemill_spine.rowid
      left join (select ${columns}, ${number} as _tidemill_n from ${relation}${window}) as ${match} on ${match}._tidemill_n = ${found}.n`,
    features: plan.features.map((column) => ({
      expression: `${match}.${quoteName(column)}`,
      output: outputOf(plan, column),
    })),
    matched: asked.length,
  };
}

/** The number of a row in the view, the same in each scan; a real column of that name would hide it. */
async function rowNumberOf(session: Session, { view, relation }: MatchPlan): Promise<string | undefined> {
  const hidden = 'paths' in view ? ['file_row_number', 'file_index'] : ['rowid'];
  const names = (await session.columns(relation)).map(({ name }) => name.toLowerCase());
  if (hidden.some((name) => names.includes(name))) return undefined;
  if (!('paths' in view)) return 'rowid';
  return view.paths.length === 1 ? 'file_row_number' : '(file_index::bigint * 4294967296 + file_row_number)';
}

/** Whether each instant of spine and view that can matter lies near enough to the spine's last. */
async function isExact(session: Session, plan: MatchPlan, { low, high }: { low: bigint; high: bigint }) {
  if (high - low > exact) return false;
  if (plan.maxAge !== undefined) return high - low + plan.maxAge <= exact;
  // From Parquet's statistics.
  const time = quoteName(plan.time.name);
  const oldest = await session.row(
    `select time is null as none, ${instantOf(plan).replaceAll(time, 'time')} as t from (select min(${time}) as time from ${plan.relation})`,
  );
  return oldest['none'] === true || (typeof oldest['t'] === 'bigint' && high - oldest['t'] <= exact);
}

/** The spine's instants by entity and time, and the entities as a table whose rowid is their number. */
async function readInstants(
  session: Session,
  { keys, asked, arrayBytes }: MatchPlan,
  high: bigint,
  entities: string,
): Promise<LatestRows | undefined> {
  const aliases = keys.map(({ alias }) => alias);
  const known = `from ${asked} where t is not null and ${aliases.map((alias) => `${alias} is not null`).join(' and ')}`;
  const counted = await session.row(`select count(*) as n ${known}`);
  const slots = Number(counted['n']);
  if (slots * bytesPerSlot > arrayBytes) return undefined;
  await session.run(`create temp table ${entities} as select distinct ${aliases.join(', ')} ${known}`);
  const { n: entityCount } = await session.row(`select count(*) as n from ${entities}`);

  const starts = new Int32Array(Number(entityCount) + 1);
  const [times, numbers] = [new Float64Array(slots), new Int32Array(slots)];
  let filled = 0;
  const sql = `select e.rowid::integer as e, (a.t - (${high}))::double as t, a.r::integer as r
    from ${asked} as a join ${entities} as e using (${aliases.join(', ')}) where a.t is not null order by e, t`;
  for await (const { count, columns } of readNumbers(session, sql)) {
    const [entity, time, row] = columns as [Int32Array, Float64Array, Int32Array];
    times.set(time, filled);
    numbers.set(row, filled);
    for (let place = 0; place < count; place += 1) {
      const next = (entity[place] as number) + 1;
      starts[next] = (starts[next] as number) + 1;
    }
    filled += count;
  }
  for (let entity = 1; entity < starts.length; entity += 1)
    starts[entity] = (starts[entity] as number) + (starts[entity - 1] as number);
  return createLatestRows({ starts, times, asked: numbers });
}

interface Scan {
  readonly latest: LatestRows;
  readonly entities: string;
  readonly number: string;
  readonly high: bigint;
}

async function offerRows(session: Session, plan: MatchPlan, { latest, entities, number, high }: Scan): Promise<void> {
  const { keys, relation, maxAge, range } = plan;
  const created = createdOf(plan);
  const oldest = maxAge === undefined || range === undefined ? '' : ` and f.t >= ${range.low - maxAge}`;
  const sql = `select e.rowid::integer, (f.t - (${high}))::double, f.n${created === undefined ? '' : ', f.c'}
    from (select ${keys.map(({ theirs, alias }) => `${theirs} as ${alias}`).join(', ')}, ${instantOf(plan)} as t,
      (${number})::double as n${created === undefined ? '' : `, ${created} as c`} from ${relation}${plan.window}) as f
    join ${entities} as e on ${keys.map(({ alias }) => `e.${alias} = f.${alias}`).join(' and ')}
    where f.t <= ${high}${oldest}`;
  for await (const { count, columns } of readNumbers(session, sql)) {
    const [entity, time, row, written] = columns as [Int32Array, Float64Array, Float64Array, Float64Array | undefined];
    latest.offer(count, entity, time, written, row);
  }
}

/** Created as a double that keeps its order, nulls first; undefined where only the database can compare it. */
function createdOf({ created }: MatchPlan): string | undefined {
  if (created === undefined) return undefined;
  const [name, family] = [quoteName(created.name), familyOf(created.type)];
  if (family === 'integer') return `coalesce(${name}::double, '-infinity'::double)`;
  if (family !== 'time') return undefined;
  // Infinite timestamps have no number.
  const without = `case when ${name} > timestamp 'epoch' then 'infinity'::double else '-infinity'::double end`;
  return `coalesce(epoch_us(${name}::timestamp)::double, ${without})`;
}

type Tied = readonly { readonly slot: number; readonly row: number }[];

interface Ties {
  readonly latest: LatestRows;
  readonly ties: Tied;
  readonly number: string;
}

/** Few of a view's columns tell nearly all ties apart, and reading them all for a handful of rows took a tenth of the join. */
const comparedFirst = 2;

/** Rows of one key and time, by created, then by their values. */
async function chooseAmong(session: Session, plan: MatchPlan, { latest, ties, number }: Ties): Promise<void> {
  const order = [...(plan.created === undefined ? [] : [plan.created.name]), ...plan.features];
  let tied = ties;
  for (const columns of new Set([Math.min(comparedFirst, order.length), order.length])) {
    const leading = await leadersOf(session, plan, tied, number, order.slice(0, columns));
    const rowsOf = new Map<number, number>();
    for (const { slot, row } of leading) {
      latest.choose(slot, row);
      rowsOf.set(slot, (rowsOf.get(slot) ?? 0) + 1);
    }
    tied = leading.filter(({ slot }) => (rowsOf.get(slot) as number) > 1);
    if (tied.length === 0) return;
  }
  // What still ties is the same in each column.
}

/** The rows of each slot that no other one of it goes before, by `order`. */
async function leadersOf(
  session: Session,
  { index, relation, view }: MatchPlan,
  ties: Tied,
  number: string,
  order: readonly string[],
): Promise<Tied> {
  const tied = `_tidemill_tied_${index}_${order.length}`;
  const slots = Int32Array.from(ties, ({ slot }) => slot);
  await createNumbersTable(session, tied, { slot: slots, n: Float64Array.from(ties, ({ row }) => row) });
  const inFile = new Set(ties.map(({ row }) => row % 2 ** 32));
  const listed =
    'paths' in view && inFile.size <= maxListed ? ` where file_row_number in (${[...inFile].join(', ')})` : '';
  const values = order.map((name, place) => `${quoteName(name)} as v${place}`);
  const sql = `select t.slot, t.n from ${tied} as t join (select ${values.join(', ')}, ${number} as _tidemill_n from ${relation}${listed}) as f
    on f._tidemill_n = t.n::bigint
    qualify rank() over (partition by t.slot order by ${order.map((_, place) => `f.v${place} desc nulls last`).join(', ')}) = 1`;
  const leading: { slot: number; row: number }[] = [];
  for await (const { count, columns } of readNumbers(session, sql)) {
    const [slot, row] = columns as [Int32Array, Float64Array];
    for (let place = 0; place < count; place += 1)
      leading.push({ slot: slot[place] as number, row: row[place] as number });
  }
  return leading;
}
