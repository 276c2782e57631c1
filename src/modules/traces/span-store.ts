import { type RawBuilder, sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { prepareQuery } from '#platform/prepared-query';
import { inList, parseJson } from '#platform/sql';
import { decodeSpan } from './span-content.ts';
import type { Cost, TokenUsage } from './span-facts.ts';
import type { SpanRow, TracesTables } from './traces-tables.ts';
import type { Span } from './traces-types.ts';

const columns = [
  'project',
  'trace_id',
  'span_id',
  'parent_span_id',
  'name',
  'type',
  'status',
  'start_us',
  'end_us',
  'model',
  'provider',
  'usage_json',
  'input_cost',
  'output_cost',
  'total_cost',
  'content',
] as const satisfies readonly (keyof SpanRow)[];

type Parameters = Readonly<Record<string, string | number | null>>;

/** A statement for so many rows, built once; contents are not put into one JSON parameter, they would be escaped twice. */
const upsertOf = (count: number) =>
  prepareQuery<never, Parameters>((reader, row) => {
    // PostgreSQL takes bare parameters for texts when there are several rows of them
    const cast = (name: string): RawBuilder<unknown> => {
      if (reader.dialect === 'sqlite') return sql``;
      if (name.endsWith('_us')) return sql`::bigint`;
      return name.endsWith('_cost') ? sql`::double precision` : sql``;
    };
    const rows = Array.from(
      { length: count },
      (_, at) => sql`(${sql.join(columns.map((name) => sql`${row[`${name}${at}`]}${cast(name)}`))})`,
    );
    return sql`insert into traces_spans (${sql.join(columns.map((name) => sql.ref(name)))})
      values ${sql.join(rows)}
      on conflict (project, trace_id, span_id) do update set ${sql.join(
        columns.slice(3).map((name) => sql`${sql.ref(name)} = excluded.${sql.ref(name)}`),
      )}`;
  });

const upserts = [64, 8, 1].map((count) => ({ count, run: upsertOf(count) }));

/** Writes spans; one that comes again replaces the one before. No two of them may be the same. */
export async function putSpanRows(unit: Unit, rows: readonly SpanRow[]): Promise<void> {
  let at = 0;
  while (at < rows.length) {
    const left = rows.length - at;
    const { count, run } = upserts.find((upsert) => upsert.count <= left) ?? { count: 1, run: upsertOf(1) };
    const parameters = rows
      .slice(at, at + count)
      .flatMap((row, index) => columns.map((name) => [`${name}${index}`, row[name]] as const));
    await run(unit, Object.fromEntries(parameters));
    at += count;
  }
}

interface TreeNode {
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly usage: TokenUsage | undefined;
  readonly cost: Cost | undefined;
}

/** The tree of a trace with what its spans used. */
export async function listTree(reader: Reader, project: string, traceId: string): Promise<readonly TreeNode[]> {
  const rows = await reader
    .query<TracesTables>()
    .selectFrom('traces_spans')
    .select([
      'traces_spans.span_id',
      'traces_spans.parent_span_id',
      'traces_spans.usage_json',
      'traces_spans.input_cost',
      'traces_spans.output_cost',
      'traces_spans.total_cost',
    ])
    .where('traces_spans.project', '=', project)
    .where('traces_spans.trace_id', '=', traceId)
    .execute();
  return rows.map((row) => ({
    spanId: row.span_id,
    parentSpanId: row.parent_span_id ?? undefined,
    usage: parseJson<TokenUsage>(row.usage_json),
    cost:
      row.input_cost === null && row.output_cost === null && row.total_cost === null
        ? undefined
        : {
            input: row.input_cost ?? undefined,
            output: row.output_cost ?? undefined,
            total: row.total_cost ?? undefined,
          },
  }));
}

/** The spans of several traces, by trace: the root first, then by start. */
export async function listSpans(
  reader: Reader,
  project: string,
  traceIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Span[]>> {
  const rows = await reader
    .query<TracesTables>()
    .selectFrom('traces_spans')
    .select(['traces_spans.trace_id', 'traces_spans.span_id', 'traces_spans.parent_span_id', 'traces_spans.content'])
    .where('traces_spans.project', '=', project)
    .where(inList(reader, 'traces_spans.trace_id', traceIds))
    .orderBy('traces_spans.trace_id')
    .orderBy(sql`case when traces_spans.parent_span_id is null then 0 else 1 end`)
    .orderBy('traces_spans.start_us')
    .orderBy('traces_spans.span_id')
    .execute();
  const spans = new Map<string, Span[]>();
  for (const row of rows) {
    const list = spans.get(row.trace_id) ?? [];
    list.push(
      decodeSpan(
        {
          traceId: row.trace_id.replace(/^tr-/, ''),
          spanId: row.span_id,
          parentSpanId: row.parent_span_id ?? undefined,
        },
        row.content,
      ),
    );
    spans.set(row.trace_id, list);
  }
  return spans;
}

/** How many spans of a trace there are. */
export async function countSpans(reader: Reader, project: string, traceId: string): Promise<number> {
  const row = await reader
    .query<TracesTables>()
    .selectFrom('traces_spans')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('traces_spans.project', '=', project)
    .where('traces_spans.trace_id', '=', traceId)
    .executeTakeFirst();
  return row?.count ?? 0;
}

/** The same of several traces. */
export async function countSpansOf(
  reader: Reader,
  project: string,
  traceIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await reader
    .query<TracesTables>()
    .selectFrom('traces_spans')
    .select(({ fn }) => ['traces_spans.trace_id', fn.countAll<number>().as('count')])
    .where('traces_spans.project', '=', project)
    .where(inList(reader, 'traces_spans.trace_id', traceIds))
    .groupBy('traces_spans.trace_id')
    .execute();
  return new Map(rows.map((row) => [row.trace_id, row.count]));
}
