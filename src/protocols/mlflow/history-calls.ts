import { type Metric, toWireMetric } from '#modules/tracking';
import type { CallInput, MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, sendMlflowError } from './mlflow-errors.ts';
import { decodeNumbersToken, encodeNumbersToken } from './page-token.ts';
import { runIdOf } from './run-calls.ts';
import { list } from './wire-views.ts';

const prefix = '/2.0/mlflow/metrics';
/** MLflow's own limits. */
const mostRuns = 100;
const mostInBulk = 25_000;
const mostInInterval = 2500;

/** Histories may take megabytes: their bytes go out as the database printed them. */
const sendJson = ({ reply }: CallInput, pieces: readonly (string | Uint8Array)[]): unknown =>
  reply
    .type('application/json; charset=utf-8')
    .send(Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece))));

function requireRuns(what: string, field: string, runIds: readonly string[]): readonly string[] {
  if (runIds.length === 0) throw invalidParameter(`${what} request must specify at least one ${field}.`);
  if (runIds.length > mostRuns)
    throw invalidParameter(
      `${what} request cannot specify more than ${mostRuns} ${field}s. Received ${runIds.length} ${field}s.`,
    );
  return runIds;
}

export function historyCalls({ database, tracking }: MlflowDeps): readonly MlflowCall[] {
  return [
    {
      method: 'GET',
      path: `${prefix}/get-history`,
      permission: 'read',
      handle: async (input) => {
        const { fields, project, reply } = input;
        const runId = runIdOf(fields);
        const key = fields.requiredText('metric_key');
        const limit = fields.integer('max_results');
        if (limit !== undefined && limit <= 0)
          return sendMlflowError(
            reply,
            'INVALID_PARAMETER_VALUE',
            `Invalid value ${limit} for parameter 'max_results' supplied. It must be a positive integer`,
          );
        const place = decodeNumbersToken(fields.text('page_token'), 4);
        const [timestampMs = 0, step = 0, value = 0, special = 0] = place ?? [];
        if (![timestampMs, step, special].every(Number.isSafeInteger))
          throw invalidParameter('Invalid page token, could not base64-decode');
        const { pieces, size, next } = await tracking.metricHistoryText(database.longRead, {
          project,
          runId,
          key,
          limit,
          ...(place !== undefined && { after: { timestampMs, step, value, special } }),
        });
        const token = next && encodeNumbersToken([next.timestampMs, next.step, next.value, next.special]);
        const rest = token === undefined ? '' : `,"next_page_token":${JSON.stringify(token)}`;
        return sendJson(input, size === 0 ? ['{}'] : ['{"metrics":[', ...pieces, `]${rest}}`]);
      },
    },
    {
      method: 'GET',
      path: `${prefix}/get-history-bulk`,
      permission: 'read',
      handle: async (input) => {
        const { fields, project } = input;
        const runIds = requireRuns('GetMetricHistoryBulk', 'run_id', fields.texts('run_id')).toSorted();
        const key = fields.text('metric_key');
        if (key === undefined) throw invalidParameter('GetMetricHistoryBulk request must specify a metric_key.');
        let left = Math.min(fields.integer('max_results') ?? mostInBulk, mostInBulk);
        const histories: (string | Uint8Array)[] = [];
        for (const runId of new Set(runIds)) {
          if (left <= 0) break;
          const of = { project, runId, key, limit: left, more: { run_id: runId } };
          const { pieces, size } = await tracking.metricHistoryText(database.longRead, of);
          if (size > 0 && histories.length > 0) histories.push(',');
          histories.push(...pieces);
          left -= size;
        }
        return sendJson(input, ['{"metrics":[', ...histories, ']}']);
      },
    },
    {
      method: 'GET',
      path: `${prefix}/get-history-bulk-interval`,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const runIds = fields.texts('run_ids');
        if (runIds.length === 0) throw fields.missing('run_ids');
        requireRuns('GetMetricHistoryBulkInterval', 'run_id', runIds);
        const key = fields.requiredText('metric_key');
        const count = fields.bounded('max_results', { preset: mostInInterval, maximum: mostInInterval });
        const steps = stepsOf(fields.integer('start_step'), fields.integer('end_step'));
        const metrics: object[] = [];
        for (const runId of runIds) {
          const points = await tracking.sampleMetric(database.longRead, { project, runId, key, count, steps });
          metrics.push(...points.map((point: Metric) => ({ ...toWireMetric(point), run_id: runId })));
        }
        return list('metrics', metrics);
      },
    },
  ];
}

function stepsOf(first: number | undefined, last: number | undefined) {
  if (first === undefined && last === undefined) return undefined;
  if (first === undefined || last === undefined)
    throw invalidParameter('If either start step or end step are specified, both must be specified.');
  if (first > last)
    throw invalidParameter(`end_step must be greater than start_step. Found start_step=${first} and end_step=${last}.`);
  return { first, last };
}
