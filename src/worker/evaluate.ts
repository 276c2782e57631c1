import { readFile } from 'node:fs/promises';
import type { MetricSuite, MetricValue, SuiteMetric } from '#contracts/evaluation';
import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { isAppError } from '#platform/errors';
import { type ClassificationMetrics, classificationMetrics } from '#statistics/classification';
import type { Estimate } from '#statistics/intervals';
import { pairedBootstrap } from '#statistics/paired';
import { type ScoredRows, type ScoreRequest, scoreRows } from './score-rows.ts';
import { type Session, withSession } from './session.ts';
import { readParquet } from './sql-quote.ts';
import type { TaskContext } from './task-context.ts';
import { testOverlap } from './test-overlap.ts';
import { workerErrors } from './worker-errors.ts';

type Evaluate = WorkerTaskInput<'evaluate'>;
type Result = WorkerTaskOutput<'evaluate'>;

/** Scores candidate and champion on the same test rows. Rows without a label, or that either could not score, count in no metric. */
export async function evaluate(context: TaskContext, input: Evaluate): Promise<Result> {
  return withSession(context, { read: input.testPaths }, async (session) => {
    const rows = {
      relation: readParquet(input.testPaths),
      score: input.score,
      columns: input.columns,
      label: input.label,
      cluster: input.cluster,
    };
    const candidate = await scoreRows(session, { ...rows, modelPath: input.candidate });
    const scored =
      input.champion === undefined ? {} : await tryToScore(session, { ...rows, modelPath: input.champion });
    const user = input.metricsPath === undefined ? {} : await readMetrics(input.metricsPath);
    const { champion, championError } = scored;
    return {
      ...compare(candidate, champion, input),
      ...(championError !== undefined && { championError }),
      user,
      overlap: await testOverlap(session, rows.relation, input),
    };
  });
}

/** What is wrong with the champion (a column that the rows no longer have) is no fault of the candidate. */
async function tryToScore(
  session: Session,
  request: ScoreRequest,
): Promise<{ readonly champion?: ScoredRows; readonly championError?: string }> {
  try {
    return { champion: await scoreRows(session, request) };
  } catch (error) {
    if (!isAppError(error) || error.kind !== 'invalid') throw error;
    return { championError: error.message };
  }
}

function compare(
  candidate: ScoredRows,
  champion: ScoredRows | undefined,
  input: Evaluate,
): Omit<Result, 'user' | 'overlap'> {
  const labels = candidate.labels;
  const kept: number[] = [];
  for (const [row, label] of labels.entries()) {
    if (Number.isNaN(label)) continue;
    if (label !== 0 && label !== 1)
      throw workerErrors.LABEL_INVALID(input.label, `row ${row} is ${label}; it must be true, false or null`);
    if (Number.isNaN(candidate.scores[row]) || Number.isNaN(champion?.scores[row] ?? 0)) continue;
    kept.push(row);
  }
  const take = (values: Float64Array): Float64Array => Float64Array.from(kept, (row) => values[row] ?? Number.NaN);
  const known = take(labels);
  const first = champion && take(champion.scores);
  const second = take(candidate.scores);
  const clusters = input.cluster === undefined ? undefined : take(candidate.clusters);
  const championSuite = first && toSuite(classificationMetrics(known, first));
  const suite = toSuite(classificationMetrics(known, second));
  return {
    n: known.length,
    unknown: labels.filter((label) => Number.isNaN(label)).length,
    positives: known.filter((label) => label === 1).length,
    candidate: suite,
    ...(first &&
      championSuite && {
        champion: championSuite,
        difference: differences(known, first, second, clusters, input, suite, championSuite),
      }),
  };
}

function toSuite(metrics: ClassificationMetrics | undefined): MetricSuite {
  if (metrics === undefined) return {};
  const estimates: Readonly<Record<SuiteMetric, Estimate | undefined>> = {
    auc: metrics.auc,
    log_loss: metrics.logLoss,
    brier: metrics.brier,
    accuracy: metrics.accuracy,
    precision: metrics.precision,
    recall: metrics.recall,
    f1: metrics.f1,
    calibration_error: metrics.calibration.expectedError,
  };
  return Object.fromEntries(
    Object.entries(estimates).flatMap(([name, estimate]) =>
      estimate === undefined ? [] : [[name, toValue(estimate)]],
    ),
  );
}

function toValue({ value, interval }: Estimate): MetricValue {
  return { value, ...(interval && { lower: interval.lower, upper: interval.upper }) };
}

/** Candidate minus champion: AUC and log loss with the interval of a paired bootstrap, the others without one. */
function differences(
  labels: Float64Array,
  first: Float64Array,
  second: Float64Array,
  clusters: Float64Array | undefined,
  { resamples = 500, seed = 1 }: Evaluate,
  candidate: MetricSuite,
  champion: MetricSuite,
): Record<string, MetricValue> {
  const plain: Record<string, MetricValue> = Object.fromEntries(
    Object.entries(candidate).flatMap(([name, { value }]) => {
      const other = champion[name];
      return other === undefined ? [] : [[name, { value: value - other.value }]];
    }),
  );
  const paired = { labels, first, second, ...(clusters && { clusters }) };
  for (const [name, metric] of [
    ['auc', 'auc'],
    ['log_loss', 'log-loss'],
  ] as const) {
    const found = pairedBootstrap(paired, { metric, resamples, seed });
    if (found !== undefined)
      plain[name] = { value: found.difference, lower: found.interval.lower, upper: found.interval.upper };
  }
  return plain;
}

async function readMetrics(path: string): Promise<Record<string, number>> {
  const text = await readFile(path, 'utf8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw workerErrors.METRICS_INVALID(error instanceof Error ? error.message : String(error));
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw workerErrors.METRICS_INVALID('it is no object');
  const wrong = Object.entries(parsed).find(([, value]) => typeof value !== 'number');
  if (wrong !== undefined) throw workerErrors.METRICS_INVALID(`"${wrong[0]}" is ${JSON.stringify(wrong[1])}`);
  return parsed as Record<string, number>;
}
