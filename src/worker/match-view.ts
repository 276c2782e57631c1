import type { WorkerTaskInput } from '#contracts/worker';
import type { Session, TableColumn } from './session.ts';
import { quoteName, quoteNames } from './sql-quote.ts';
import { familyOf, requireColumn, type TimeUnit, toInstant, unitOf } from './table-columns.ts';
import { workerErrors } from './worker-errors.ts';

export interface MatchRequest {
  readonly view: WorkerTaskInput<'join'>['views'][number];
  /** The view's rows, as a table or a subquery. */
  readonly relation: string;
  readonly index: number;
  readonly spine: readonly TableColumn[];
  readonly at: TableColumn;
  /** The spine came as JSON: its keys are cast to the view's types. */
  readonly loose: boolean;
}

export interface MatchedView {
  readonly name: string;
  /** Alias of `relation`, whose column `r` is the row of the spine, at most once. */
  readonly table: string;
  readonly relation: string;
  readonly features: readonly { readonly column: string; readonly output: string }[];
  readonly matched: number;
}

const spine = '_tidemill_spine';
const second: Readonly<Record<TimeUnit, number>> = { us: 1_000_000, ns: 1_000_000_000 };

/**
 * Finds for each row of the spine the view's row that counts, in three passes:
 *
 *  1. an ASOF join over keys and times alone finds the greatest time that may be used; the ttl is tested afterwards, which
 *     is exact, since the latest row is the first to be young enough;
 *  2. a hash join on keys and that time fetches the candidates, with their columns. There are several only where the
 *     source has several rows of one key and time;
 *  3. those few are ordered by created, then by their values.
 *
 * One ASOF join over whole rows would sort all columns of the view, and where times are equal it takes any row.
 */
export async function matchView(session: Session, request: MatchRequest): Promise<MatchedView> {
  const { view, index, at, relation } = request;
  const where = `view "${view.name}"`;
  const columns = await session.columns(relation);
  const time = requireColumn(columns, view.time, where);
  const keys = view.entity.map((name, place) => toKey(request, requireColumn(columns, name, where), place));
  if (view.created !== undefined) requireColumn(columns, view.created, where);
  const features = featuresOf(view, columns, where);
  const unit = unitOf(time.type) === 'ns' ? 'ns' : unitOf(at.type);
  const [latest, found, tied] = ['latest', 'found', 'tied'].map((name) => `_tidemill_${name}_${index}`) as [
    string,
    string,
    string,
  ];

  const usable = `${toInstant(quoteName(at.name), at, unit, 'the rows')} - ${ms(view.knownAfterMs ?? 0, unit)}`;
  const asked = `(select rowid as r, ${keys.map(({ ours, alias }) => `${ours} as ${alias}`).join(', ')}, ${usable} as t from ${spine})`;
  const offered = `(select ${keys.map(({ theirs, alias }) => `${theirs} as ${alias}`).join(', ')}, ${toInstant(quoteName(time.name), time, unit, where)} as t from ${relation}${await windowOf(session, asked, view, time, unit)})`;
  const young =
    view.ttlMs === undefined ? '' : ` where f.t >= s.t + ${ms((view.knownAfterMs ?? 0) - view.ttlMs, unit)}`;
  await session.run(
    `create temp table ${latest} as select s.r, ${keys.map(({ alias }) => `f.${alias}`).join(', ')}, f.t
     from ${asked} as s asof join ${offered} as f on ${keys.map(({ alias }) => `s.${alias} = f.${alias}`).join(' and ')} and s.t >= f.t${young}`,
  );

  const created = view.created === undefined ? '' : `, f.${quoteName(view.created)} as _tidemill_created`;
  const fetched = features.map(({ column }) => `, f.${quoteName(column)}`).join('');
  const same = keys.map(({ theirs, alias }) => `${theirs.replace(/^"/, 'f."')} = m.${alias}`).join(' and ');
  await session.run(
    `create temp table ${found} as select m.r${created}${fetched} from ${relation} as f join ${latest} as m
     on ${same} and ${toInstant(`f.${quoteName(time.name)}`, time, unit, where)} = m.t`,
  );
  await session.run(`create temp table ${tied} as select r from ${found} group by r having count(*) > 1`);

  const names = quoteNames(features.map(({ column }) => column));
  const order = [
    ...(view.created === undefined ? [] : ['_tidemill_created desc nulls last']),
    ...features.map(({ column }) => `${quoteName(column)} desc nulls last`),
  ];
  const best = `select r, ${names} from ${found} where r in (from ${tied}) qualify row_number() over (partition by r order by ${order.join(', ')}) = 1`;
  const matched = await session.row(`select count(*) as n from ${latest}`);
  return {
    name: view.name,
    table: `_tidemill_match_${index}`,
    relation: `(select r, ${names} from ${found} where r not in (from ${tied}) union all (${best}))`,
    features,
    matched: Number(matched['n']),
  };
}

interface Key {
  readonly ours: string;
  readonly theirs: string;
  readonly alias: string;
}

function toKey({ view, spine: rows, loose }: MatchRequest, theirs: TableColumn, place: number): Key {
  const ours = requireColumn(rows, theirs.name, 'the rows');
  const kinds = [ours, theirs].map(({ type }) => familyOf(type).replace('integer', 'number'));
  if (!loose && kinds[0] !== kinds[1])
    throw workerErrors.JOIN_KEY_TYPES(view.name, theirs.name, ours.type, theirs.type);
  const name = quoteName(theirs.name);
  return { ours: loose ? `try_cast(${name} as ${theirs.type})` : name, theirs: name, alias: `k${place}` };
}

function featuresOf(
  view: MatchRequest['view'],
  columns: readonly TableColumn[],
  where: string,
): readonly { readonly column: string; readonly output: string }[] {
  const kept = [...view.entity, view.time, ...(view.created === undefined ? [] : [view.created])];
  const names =
    view.columns?.map((name) => requireColumn(columns, name, where).name) ??
    columns.map(({ name }) => name).filter((name) => !kept.includes(name));
  if (names.length === 0)
    throw workerErrors.TASK_INPUT_INVALID('join', `${where} has no columns but its keys and times`);
  return names.map((column) => ({ column, output: `${view.name}__${column}` }));
}

const ms = (value: number, unit: TimeUnit): bigint => BigInt(value) * (unit === 'us' ? 1000n : 1_000_000n);

/**
 * A filter on the bare time column that Parquet's statistics understand: rows outside the spine's range, a second wider
 * for rounding, are not even read.
 */
async function windowOf(
  session: Session,
  asked: string,
  view: MatchRequest['view'],
  time: TableColumn,
  unit: TimeUnit,
): Promise<string> {
  if (time.type !== 'TIMESTAMP' && time.type !== 'TIMESTAMP WITH TIME ZONE') return '';
  const range = await session.row(`select min(t) as low, max(t) as high from ${asked}`);
  const [low, high] = [range['low'], range['high']];
  if (typeof low !== 'bigint' || typeof high !== 'bigint') return '';
  const literal = (value: bigint): string =>
    `make_timestamp(${value / BigInt(second[unit] / 1_000_000)})::${time.type}`;
  const widened = BigInt(second[unit]);
  const before = `${quoteName(time.name)} <= ${literal(high + widened)}`;
  if (view.ttlMs === undefined) return ` where ${before}`;
  const oldest = low + ms((view.knownAfterMs ?? 0) - view.ttlMs, unit) - widened;
  return ` where ${before} and ${quoteName(time.name)} >= ${literal(oldest)}`;
}
