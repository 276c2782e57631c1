import type { Aggregation, MetricView } from '#modules/traces';
import type { MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter } from './mlflow-errors.ts';
import type { WireFields } from './wire-fields.ts';
import { list } from './wire-views.ts';

const prefix = '/3.0/mlflow/traces';
const views: Readonly<Record<MetricView, number>> = { TRACES: 1, SPANS: 2, ASSESSMENTS: 3 };
const aggregationTypes = { COUNT: 1, SUM: 2, AVG: 3, PERCENTILE: 4, MIN: 5, MAX: 6 };

function toAggregation(fields: WireFields): Aggregation {
  const type = fields.oneOf('aggregation_type', aggregationTypes);
  if (type === undefined) throw fields.missing('aggregation_type');
  const given = fields.any('percentile_value');
  if (type !== 'PERCENTILE') {
    if (given !== undefined)
      throw invalidParameter(`Percentile value is only allowed for PERCENTILE aggregation type, got ${type}`);
    return { type };
  }
  const percent = fields.requiredDouble('percentile_value');
  if (!(percent >= 0 && percent <= 100))
    throw invalidParameter(`Percentile value must be between 0 and 100, got ${percent}`);
  return { type, percent };
}

function experimentsOf(fields: WireFields): string[] {
  const ids = fields.texts('experiment_ids');
  if (ids.length === 0) throw fields.missing('experiment_ids');
  return ids;
}

/** log of x over the size of the whole, the information in an event of that size. */
function npmi(
  counts: { readonly both: number; readonly first: number; readonly second: number; readonly all: number },
  prior: number,
): number {
  const cells = {
    both: counts.both,
    first: counts.first - counts.both,
    second: counts.second - counts.both,
    none: counts.all - counts.first - counts.second + counts.both,
  };
  if (cells.first === 0 && cells.second === 0 && cells.none === 0) return 1;
  const both = cells.both + prior;
  const all = counts.all + 4 * prior;
  const [first, second] = [counts.first + 2 * prior, counts.second + 2 * prior];
  if (both <= 0) return -1;
  const mutual = Math.log(both) + Math.log(all) - Math.log(first) - Math.log(second);
  return Math.max(-1, Math.min(1, mutual / (Math.log(all) - Math.log(both))));
}

/** Figures over many traces. */
export function traceMetricCalls({ database, traces }: MlflowDeps): readonly MlflowCall[] {
  return [
    {
      method: 'POST',
      path: `${prefix}/metrics`,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const view = fields.oneOf('view_type', views);
        if (view === undefined) throw fields.missing('view_type');
        const metric = fields.requiredName('metric_name');
        const aggregations = fields.messages('aggregations').map(toAggregation);
        if (aggregations.length === 0) throw fields.missing('aggregations');
        if (aggregations.length > 20) throw invalidParameter('At most 20 aggregations can be asked for at once.');
        const intervalSeconds = fields.integer('time_interval_seconds');
        if (intervalSeconds !== undefined && (intervalSeconds < 1 || intervalSeconds > 1e9))
          throw fields.invalid('time_interval_seconds', 'Value was not a number of seconds from 1 to 1e9');
        const points = await traces.traceMetrics(database.read, {
          project,
          experimentIds: experimentsOf(fields),
          view,
          metric,
          aggregations,
          dimensions: [...new Set(fields.texts('dimensions'))],
          filters: fields.texts('filters'),
          intervalSeconds,
          fromMs: fields.integer('start_time_ms'),
          toMs: fields.integer('end_time_ms'),
          limit: fields.bounded('max_results', { preset: 1000, maximum: 10_000 }),
        });
        return list(
          'data_points',
          points.map((point) => ({ metric_name: metric, ...point })),
        );
      },
    },
    {
      method: 'POST',
      path: `${prefix}/calculate-filter-correlation`,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const counts = await traces.countTraces(database.read, {
          project,
          experimentIds: experimentsOf(fields),
          filters: [
            withBase(fields.text('base_filter'), fields.requiredText('filter_string1')),
            withBase(fields.text('base_filter'), fields.requiredText('filter_string2')),
          ],
          base: fields.text('base_filter'),
        });
        const defined = counts.first > 0 && counts.second > 0;
        return {
          ...(defined && { npmi: npmi(counts, 0), npmi_smoothed: npmi(counts, 0.5) }),
          filter1_count: counts.first,
          filter2_count: counts.second,
          joint_count: counts.both,
          total_count: counts.all,
        };
      },
    },
  ];
}

const withBase = (base: string | undefined, filter: string): string => (base ? `${base} AND ${filter}` : filter);
