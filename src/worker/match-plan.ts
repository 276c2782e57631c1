import type { WorkerTaskInput } from '#contracts/worker';
import type { Session, TableColumn } from './session.ts';
import { quoteName } from './sql-quote.ts';
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
  /** What arrays may take beside the database. */
  readonly arrayBytes: number;
}

export interface MatchedView {
  readonly name: string;
  /** Comes after the spine in a FROM: each of its rows stays one row. */
  readonly joins: string;
  readonly features: readonly { readonly expression: string; readonly output: string }[];
  readonly matched: number;
}

/** What both ways of matching need to know. Instants are integers in `unit` since 1970. */
export interface MatchPlan extends MatchRequest {
  readonly unit: TimeUnit;
  readonly keys: readonly { readonly ours: string; readonly theirs: string; readonly alias: string }[];
  readonly created: TableColumn | undefined;
  readonly time: TableColumn;
  readonly features: readonly string[];
  /** The spine as (r, k0…, t): its row, its keys, and the greatest time that it may use. */
  readonly asked: string;
  /** Of `t` in `asked`; none without a row that has one. */
  readonly range: { readonly low: bigint; readonly high: bigint } | undefined;
  /** A row may be as much older than `t` in `asked` as this; negative when nothing is ever usable. */
  readonly maxAge: bigint | undefined;
  /** A filter on the bare time column that Parquet's statistics understand, a second too wide; or nothing. */
  readonly window: string;
}

/** The view's time as an instant. */
export const instantOf = ({ time, unit, view }: MatchPlan, prefix = ''): string =>
  toInstant(`${prefix}${quoteName(time.name)}`, time, unit, `view "${view.name}"`);

/** @throws COLUMN_MISSING, TIME_COLUMN_INVALID, JOIN_KEY_TYPES, TASK_INPUT_INVALID */
export async function planMatch(session: Session, request: MatchRequest): Promise<MatchPlan> {
  const { view, at, relation } = request;
  const where = `view "${view.name}"`;
  const columns = await session.columns(relation);
  const time = requireColumn(columns, view.time, where);
  const keys = view.entity.map((name, place) => toKey(request, requireColumn(columns, name, where), place));
  const created = view.created === undefined ? undefined : requireColumn(columns, view.created, where);
  const features = featuresOf(view, columns, where);
  const unit = unitOf(time.type) === 'ns' ? 'ns' : unitOf(at.type);
  toInstant('', time, unit, where); // before anything runs: it refuses what is no time

  const usable = `${toInstant(quoteName(at.name), at, unit, 'the rows')} - ${toUnit(view.knownAfterMs ?? 0, unit)}`;
  const asked = `(select rowid as r, ${keys.map(({ ours, alias }) => `${ours} as ${alias}`).join(', ')}, ${usable} as t from _tidemill_spine)`;
  const { low, high } = await session.row(`select min(t) as low, max(t) as high from ${asked}`);
  const range = typeof low === 'bigint' && typeof high === 'bigint' ? { low, high } : undefined;
  const maxAge = view.ttlMs === undefined ? undefined : toUnit(view.ttlMs - (view.knownAfterMs ?? 0), unit);
  const window = windowOf(time, unit, range, maxAge);
  return { ...request, unit, keys, created, time, features, asked, range, maxAge, window };
}

function toKey({ view, spine: rows, loose }: MatchRequest, theirs: TableColumn, place: number) {
  const ours = requireColumn(rows, theirs.name, 'the rows');
  const kinds = [ours, theirs].map(({ type }) => familyOf(type).replace('integer', 'number'));
  if (!loose && kinds[0] !== kinds[1])
    throw workerErrors.JOIN_KEY_TYPES(view.name, theirs.name, ours.type, theirs.type);
  const name = quoteName(theirs.name);
  return { ours: loose ? `try_cast(${name} as ${theirs.type})` : name, theirs: name, alias: `k${place}` };
}

function featuresOf(view: MatchRequest['view'], columns: readonly TableColumn[], where: string): readonly string[] {
  const kept = [...view.entity, view.time, ...(view.created === undefined ? [] : [view.created])];
  const names =
    view.columns?.map((name) => requireColumn(columns, name, where).name) ??
    columns.map(({ name }) => name).filter((name) => !kept.includes(name));
  if (names.length === 0)
    throw workerErrors.TASK_INPUT_INVALID('join', `${where} has no columns but its keys and times`);
  return names;
}

export const outputOf = ({ view }: MatchPlan, column: string): string => `${view.name}__${column}`;

const perSecond: Readonly<Record<TimeUnit, bigint>> = { us: 1_000_000n, ns: 1_000_000_000n };
const toUnit = (ms: number, unit: TimeUnit): bigint => (BigInt(ms) * perSecond[unit]) / 1000n;

/** Rows outside the spine's range, a second wider for rounding, are not even read. */
function windowOf(time: TableColumn, unit: TimeUnit, range: MatchPlan['range'], maxAge: bigint | undefined): string {
  if (range === undefined || (time.type !== 'TIMESTAMP' && time.type !== 'TIMESTAMP WITH TIME ZONE')) return '';
  const literal = (value: bigint): string => `make_timestamp(${(value * 1_000_000n) / perSecond[unit]})::${time.type}`;
  const before = `${quoteName(time.name)} <= ${literal(range.high + perSecond[unit])}`;
  if (maxAge === undefined) return ` where ${before}`;
  return ` where ${before} and ${quoteName(time.name)} >= ${literal(range.low - maxAge - perSecond[unit])}`;
}
