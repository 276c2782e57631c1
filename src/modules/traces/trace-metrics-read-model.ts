import { type RawBuilder, sql } from 'kysely';
import { toRfc3339 } from '#contracts/rfc3339';
import type { Comparison } from '#modules/tracking';
import type { Reader } from '#platform/database';
import { compileTraceFilter, experimentIn } from './trace-filter-store.ts';
import { toComparisons, toScope } from './trace-search-read-model.ts';
import { tracesErrors } from './traces-errors.ts';
import type { TracesTables } from './traces-tables.ts';

/** Figures over many traces: how many, how long, how much, by name, status, model or time. */
export interface TraceMetricsQuery {
  readonly project: string;
  readonly experimentIds: readonly string[];
  readonly view: MetricView;
  readonly metric: string;
  readonly aggregations: readonly Aggregation[];
  readonly dimensions: readonly string[];
  /** `trace.status = 'OK'`, `trace.tag.x = '1'`, `span.type = 'LLM'`, `assessment.name = 'correct'`. */
  readonly filters: readonly string[];
  readonly intervalSeconds?: number | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly limit: number;
}

export type MetricView = 'TRACES' | 'SPANS' | 'ASSESSMENTS';
export type Aggregation =
  | { readonly type: 'COUNT' | 'SUM' | 'AVG' | 'MIN' | 'MAX' }
  | { readonly type: 'PERCENTILE'; readonly percent: number };

export interface MetricPoint {
  readonly dimensions: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, number>>;
}

type Sql = RawBuilder<unknown>;
interface MetricShape {
  readonly value: Sql;
  readonly aggregations: readonly Aggregation['type'][];
  readonly dimensions: readonly string[];
}

const spread = ['AVG', 'MIN', 'MAX', 'PERCENTILE'] as const;
const amounts = ['SUM', ...spread] as const;
const tokens = (column: string): MetricShape => ({
  value: sql.ref(`traces_traces.${column}`),
  aggregations: amounts,
  dimensions: ['trace_name'],
});
const cost = (column: string): MetricShape => ({
  value: sql.ref(`traces_spans.${column}`),
  aggregations: amounts,
  dimensions: ['span_model_name', 'span_model_provider'],
});

const shapes: Readonly<Record<MetricView, Readonly<Record<string, MetricShape>>>> = {
  TRACES: {
    trace_count: {
      value: sql`traces_traces.trace_id`,
      aggregations: ['COUNT'],
      dimensions: ['trace_name', 'trace_status'],
    },
    session_count: { value: sql`distinct traces_traces.session_id`, aggregations: ['COUNT'], dimensions: [] },
    latency: { value: sql`traces_traces.duration_ms`, aggregations: spread, dimensions: ['trace_name'] },
    input_tokens: tokens('input_tokens'),
    output_tokens: tokens('output_tokens'),
    total_tokens: tokens('total_tokens'),
    cache_read_input_tokens: tokens('cache_read_tokens'),
    cache_creation_input_tokens: tokens('cache_creation_tokens'),
  },
  SPANS: {
    span_count: {
      value: sql`traces_spans.span_id`,
      aggregations: ['COUNT'],
      dimensions: ['span_name', 'span_type', 'span_status', 'span_model_name', 'span_model_provider'],
    },
    latency: {
      value: sql`((traces_spans.end_us - traces_spans.start_us) / 1000.0)`,
      aggregations: spread,
      dimensions: ['span_name', 'span_status'],
    },
    input_cost: cost('input_cost'),
    output_cost: cost('output_cost'),
    total_cost: cost('total_cost'),
  },
  ASSESSMENTS: {
    assessment_count: {
      value: sql`traces_assessments.assessment_id`,
      aggregations: ['COUNT'],
      dimensions: ['assessment_name', 'assessment_value'],
    },
    assessment_value: {
      value: sql`case when traces_assessments.value_text in ('true', 'yes') then 1
        when traces_assessments.value_text in ('false', 'no') then 0 else traces_assessments.value_number end`,
      aggregations: spread,
      dimensions: ['assessment_name'],
    },
  },
};

const dimensionColumns: Readonly<Record<string, Sql>> = {
  trace_name: sql`traces_traces.name`,
  trace_status: sql`traces_traces.state`,
  span_name: sql`traces_spans.name`,
  span_type: sql`traces_spans.type`,
  span_status: sql`traces_spans.status`,
  span_model_name: sql`traces_spans.model`,
  span_model_provider: sql`traces_spans.provider`,
  assessment_name: sql`traces_assessments.name`,
  assessment_value: sql`traces_assessments.value_json`,
};

const sources: Readonly<Record<MetricView, Sql>> = {
  TRACES: sql`traces_traces`,
  SPANS: sql`traces_spans inner join traces_traces
    on traces_traces.project = traces_spans.project and traces_traces.trace_id = traces_spans.trace_id`,
  ASSESSMENTS: sql`traces_assessments inner join traces_traces
    on traces_traces.project = traces_assessments.project and traces_traces.trace_id = traces_assessments.trace_id`,
};

const invalid = tracesErrors.TRACE_FILTER_INVALID;
const bucketName = 'time_bucket';

function shapeOf({ view, metric, aggregations, dimensions }: TraceMetricsQuery): MetricShape {
  const known = shapes[view];
  const shape = Object.hasOwn(known, metric) ? known[metric] : undefined;
  if (shape === undefined)
    throw invalid(`metric_name must be one of ${Object.keys(known).join(', ')}, got '${metric.slice(0, 100)}'`);
  const odd = aggregations.find(({ type }) => !shape.aggregations.includes(type));
  if (odd !== undefined)
    throw invalid(
      `Found invalid aggregation_type(s): ['${odd.type}']. Supported aggregation types: ${shape.aggregations.join(', ')}`,
    );
  const strange = dimensions.find((dimension) => !shape.dimensions.includes(dimension));
  if (strange !== undefined)
    throw invalid(
      `Found invalid dimension(s): ['${strange.slice(0, 100)}']. Supported dimensions: ${shape.dimensions.join(', ') || 'none'}`,
    );
  return shape;
}

const spanFilters: Readonly<Record<string, Sql>> = {
  name: sql`traces_spans.name`,
  status: sql`traces_spans.status`,
  type: sql`traces_spans.type`,
};
const assessmentFilters: Readonly<Record<string, Sql>> = {
  name: sql`traces_assessments.name`,
  type: sql`traces_assessments.kind`,
};

function equals(column: Sql | undefined, { group, key, operator, value }: Comparison): Sql {
  if (column === undefined || operator !== '=' || typeof value !== 'string')
    throw invalid(
      `Invalid metric filter on '${group ?? ''}.${key.slice(0, 100)}': filters are equalities such as trace.status = 'OK', trace.tag.env = 'prod', span.type = 'LLM' or assessment.name = 'correct'`,
    );
  return sql`${column} = ${value}`;
}

/** Filters on spans and assessments are of the rows counted, not of their traces. */
async function conditionsOf(reader: Reader, query: TraceMetricsQuery): Promise<readonly Sql[]> {
  const scope = toScope(query.project, query.experimentIds);
  const own: Sql[] = [];
  const ofTraces: Comparison[] = [];
  for (const comparison of query.filters.flatMap(toComparisons)) {
    const { group, key } = comparison;
    if (group === 'span' && query.view === 'SPANS') own.push(equals(spanFilters[key], comparison));
    else if (group === 'assessment' && query.view === 'ASSESSMENTS')
      own.push(equals(assessmentFilters[key], comparison));
    else if (group === 'trace') {
      const [kind, ...rest] = key.split('.');
      const isPair = (kind === 'tag' || kind === 'metadata') && rest.length > 0;
      ofTraces.push(isPair ? { ...comparison, group: kind, key: rest.join('.') } : comparison);
    } else equals(undefined, comparison);
  }
  return [
    sql`traces_traces.project = ${query.project}`,
    experimentIn(reader, scope),
    await compileTraceFilter(reader, scope, ofTraces),
    ...own,
    ...(query.fromMs === undefined ? [] : [sql`traces_traces.request_ms >= ${query.fromMs}`]),
    ...(query.toMs === undefined ? [] : [sql`traces_traces.request_ms <= ${query.toMs}`]),
  ];
}

const labelOf = (aggregation: Aggregation): string =>
  aggregation.type === 'PERCENTILE' ? `P${pythonFloat(aggregation.percent)}` : aggregation.type;
/** MLflow's clients look for the label that Python writes: `P50.0`. */
const pythonFloat = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value));

function aggregateOf(aggregation: Aggregation): Sql {
  switch (aggregation.type) {
    case 'COUNT':
      return sql`count(value)`;
    case 'SUM':
      return sql`sum(value)`;
    case 'AVG':
      return sql`avg(value)`;
    case 'MIN':
      return sql`min(value)`;
    case 'MAX':
      return sql`max(value)`;
    case 'PERCENTILE':
      return percentile(aggregation.percent / 100);
    default:
      return aggregation satisfies never;
  }
}

/** Between the two values around the rank, as PostgreSQL's percentile_cont; SQLite has none. */
function percentile(fraction: number): Sql {
  const rank = sql`(cast(${fraction} as double precision) * (of_group - 1))`;
  const low = sql`(case when ${rank} >= cast(${rank} as bigint) then cast(${rank} as bigint) else cast(${rank} as bigint) - 1 end)`;
  return sql`sum(case
    when place - 1 = ${low} then value * (1 - (${rank} - ${low}))
    when place - 1 = ${low} + 1 then value * (${rank} - ${low}) end)`;
}

/** TRACE_FILTER_INVALID names what cannot be asked. */
export async function queryTraceMetrics(reader: Reader, query: TraceMetricsQuery): Promise<readonly MetricPoint[]> {
  const shape = shapeOf(query);
  const { intervalSeconds } = query;
  if (intervalSeconds !== undefined && (query.fromMs === undefined || query.toMs === undefined))
    throw invalid('start_time_ms and end_time_ms are required if time_interval_seconds is set');
  const conditions = await conditionsOf(reader, query);
  if (toScope(query.project, query.experimentIds).experimentIds.length === 0) return [];
  const bucketMs = (intervalSeconds ?? 0) * 1000;
  const groups = [
    ...(bucketMs === 0
      ? []
      : [
          {
            name: bucketName,
            column: sql`(traces_traces.request_ms / ${sql.raw(String(bucketMs))}) * ${sql.raw(String(bucketMs))}`,
          },
        ]),
    ...query.dimensions.map((name) => ({ name, column: dimensionColumns[name] ?? sql`null` })),
  ];
  const names = groups.map((_, at) => sql.raw(`d${at}`));
  const partition = names.length === 0 ? sql`` : sql`partition by ${sql.join(names)}`;
  const ranked = query.aggregations.some(({ type }) => type === 'PERCENTILE');
  const isDistinct = query.metric === 'session_count';
  const present = [...(isDistinct ? [] : [sql`value is not null`]), ...names.map((name) => sql`${name} is not null`)];
  const rowsOf = sql`select ${isDistinct ? sql`traces_traces.session_id` : shape.value} as value${sql.join(
    groups.map(({ column }, at) => sql`, ${column} as ${sql.raw(`d${at}`)}`),
    sql``,
  )} from ${sources[query.view]} where ${sql.join(conditions, sql` and `)}`;
  const numbered = ranked
    ? sql`select found.*, row_number() over (${partition} order by value) as place, count(*) over (${partition}) as of_group
        from (${rowsOf}) as found where ${present.length === 0 ? sql`1 = 1` : sql.join(present, sql` and `)}`
    : sql`select * from (${rowsOf}) as found where ${present.length === 0 ? sql`1 = 1` : sql.join(present, sql` and `)}`;
  const aggregates = query.aggregations.map((aggregation) =>
    isDistinct ? sql`count(distinct value)` : aggregateOf(aggregation),
  );
  const { rows } = await sql<Record<string, string | number | null>>`
    select ${sql.join([
      ...names,
      ...aggregates.map((aggregate, at) => sql`${aggregate} as ${sql.raw(`a${at}`)}`),
    ])} from (${numbered}) as numbered
    ${names.length === 0 ? sql`` : sql`group by ${sql.join(names)} order by ${sql.join(names)}`}
    limit ${query.limit}`.execute(reader.query<TracesTables>());
  return rows.flatMap((row): MetricPoint[] => {
    const values = query.aggregations.flatMap((aggregation, at) => {
      const value = row[`a${at}`];
      return value === null || value === undefined ? [] : [[labelOf(aggregation), Number(value)] as const];
    });
    if (values.length === 0) return [];
    const dimensions = groups.map(({ name }, at) => [name, toDimension(name, row[`d${at}`] ?? '')] as const);
    return [{ dimensions: Object.fromEntries(dimensions), values: Object.fromEntries(values) }];
  });
}

const toDimension = (name: string, value: string | number): string =>
  name === bucketName ? toRfc3339(Number(value)).replace(/\.\d{3}Z$/, '+00:00') : String(value);
