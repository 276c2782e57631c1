import { sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import type { LinkKind, LinkRow, PairKind, TracesTables } from './traces-tables.ts';

type Cell = string;

/** Rows of texts as one JSON parameter, so that the statement's text does not depend on their number. */
function textRows(reader: Pick<Reader, 'dialect'>, width: number, rows: readonly (readonly Cell[])[]) {
  const columns = Array.from({ length: width }, (_, index) => `list.value ->> ${index}`).join(', ');
  const text = JSON.stringify(rows);
  return {
    columns: sql.raw(columns),
    from:
      reader.dialect === 'sqlite'
        ? sql`json_each(${text}) as list`
        : sql`jsonb_array_elements(${text}::jsonb) as list(value)`,
  };
}

export interface Pair {
  readonly traceId: string;
  readonly kind: PairKind;
  readonly key: string;
  readonly value: string;
}

/** Writes tags and metadata; of equal keys the last counts. What was there is replaced, or kept when `keep` is set. */
export async function putPairs(
  unit: Unit,
  project: string,
  pairs: readonly Pair[],
  options: { readonly keep?: boolean } = {},
): Promise<void> {
  if (pairs.length === 0) return;
  const last = new Map(
    pairs.map(({ traceId, kind, key, value }) => [`${traceId}\n${kind}\n${key}`, [traceId, kind, key, value]]),
  );
  const { columns, from } = textRows(unit, 4, [...last.values()]);
  const action = options.keep ? sql`do nothing` : sql`do update set pair_value = excluded.pair_value`;
  await sql`insert into traces_pairs (project, trace_id, kind, pair_key, pair_value)
    select ${project}, ${columns} from ${from} where true
    on conflict (project, trace_id, kind, pair_key) ${action}`.execute(unit.query<TracesTables>());
}

export async function deleteTag(unit: Unit, project: string, traceId: string, key: string): Promise<boolean> {
  const { numDeletedRows } = await unit
    .query<TracesTables>()
    .deleteFrom('traces_pairs')
    .where('traces_pairs.project', '=', project)
    .where('traces_pairs.trace_id', '=', traceId)
    .where('traces_pairs.kind', '=', 'tag')
    .where('traces_pairs.pair_key', '=', key)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

interface Pairs {
  readonly tag: Map<string, string>;
  readonly metadata: Map<string, string>;
}

/** Tags and metadata of several traces, by trace, each in order of key. */
export async function listPairs(
  reader: Reader,
  project: string,
  traceIds: readonly string[],
): Promise<ReadonlyMap<string, Pairs>> {
  const rows = await reader
    .query<TracesTables>()
    .selectFrom('traces_pairs')
    .select(['traces_pairs.trace_id', 'traces_pairs.kind', 'traces_pairs.pair_key', 'traces_pairs.pair_value'])
    .where('traces_pairs.project', '=', project)
    .where(inList(reader, 'traces_pairs.trace_id', traceIds))
    .orderBy('traces_pairs.pair_key')
    .execute();
  const found = new Map<string, Pairs>();
  for (const row of rows) {
    const pairs = found.get(row.trace_id) ?? { tag: new Map<string, string>(), metadata: new Map<string, string>() };
    pairs[row.kind].set(row.pair_key, row.pair_value);
    found.set(row.trace_id, pairs);
  }
  return found;
}

export interface Link {
  readonly traceId: string;
  readonly kind: LinkKind;
  readonly target: string;
}

/** Says what traces came from; what was said before is not said twice. */
export async function putLinks(unit: Unit, project: string, links: readonly Link[]): Promise<void> {
  if (links.length === 0) return;
  const { columns, from } = textRows(
    unit,
    3,
    links.map(({ traceId, kind, target }) => [traceId, kind, target]),
  );
  await sql`insert into traces_links (project, trace_id, kind, target)
    select ${project}, ${columns} from ${from} where true
    on conflict (project, trace_id, kind, target) do nothing`.execute(unit.query<TracesTables>());
}

export async function listLinks(
  reader: Reader,
  project: string,
  traceId: string,
  limit: number,
): Promise<readonly Pick<LinkRow, 'kind' | 'target'>[]> {
  return reader
    .query<TracesTables>()
    .selectFrom('traces_links')
    .select(['traces_links.kind', 'traces_links.target'])
    .where('traces_links.project', '=', project)
    .where('traces_links.trace_id', '=', traceId)
    .orderBy('traces_links.kind')
    .orderBy('traces_links.target')
    .limit(limit)
    .execute();
}

/** Traces that came from something, some of them, and how many there are. */
export async function listLinkedTraces(
  reader: Reader,
  project: string,
  kind: LinkKind,
  target: string,
  limit: number,
): Promise<{ readonly traceIds: readonly string[]; readonly total: number }> {
  const of = reader
    .query<TracesTables>()
    .selectFrom('traces_links')
    .where('traces_links.project', '=', project)
    .where('traces_links.kind', '=', kind)
    .where('traces_links.target', '=', target);
  const rows = await of.select('traces_links.trace_id').orderBy('traces_links.trace_id').limit(limit).execute();
  if (rows.length < limit) return { traceIds: rows.map((row) => row.trace_id), total: rows.length };
  const counted = await of.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirst();
  return { traceIds: rows.map((row) => row.trace_id), total: counted?.count ?? rows.length };
}

/** Forgets what is there no longer. */
export async function deleteLinksTo(
  unit: Unit,
  project: string,
  kind: LinkKind,
  targets: readonly string[],
): Promise<void> {
  await unit
    .query<TracesTables>()
    .deleteFrom('traces_links')
    .where('traces_links.project', '=', project)
    .where('traces_links.kind', '=', kind)
    .where(inList(unit, 'traces_links.target', targets))
    .execute();
}
