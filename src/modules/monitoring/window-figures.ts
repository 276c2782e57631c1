import type { DriftFinding, Figure, WindowPart } from '#contracts/monitoring';
import { dayMs, hourMs } from '#contracts/worker-predictions';
import type { RevisionCounts, TrainingProfile } from '#modules/predictions';
import {
  type ColumnMeasure,
  type DriftRule,
  type DriftVerdict,
  judgeDrift,
  measureCategories,
  measureNumbers,
} from '#statistics/drift';
import type { Estimate } from '#statistics/intervals';
import { mergeScoreCounts, metricsOfScoreCounts } from '#statistics/score-counts';

/** What the counts of a window say; no row is read for it. */

type Role = WindowPart['role'];

/** Revisions of one model version count over the same cells: together they are what that version answered. */
export interface VersionCounts extends Omit<RevisionCounts, 'revision'> {
  readonly model: string;
  readonly version: number;
  readonly training: TrainingProfile | undefined;
}

interface Known {
  readonly revision: string;
  readonly model: string;
  readonly version: number;
  readonly training: TrainingProfile | undefined;
}

/** Adds revisions up by (version, role); counts of revisions that nobody registered are left out. */
export function byVersion(counts: readonly RevisionCounts[], revisions: readonly Known[]): readonly VersionCounts[] {
  const known = new Map(revisions.map((revision) => [revision.revision, revision]));
  const versions = new Map<string, VersionCounts>();
  for (const { revision, ...count } of counts) {
    const found = known.get(revision);
    if (found === undefined) continue;
    const { model, version, training } = found;
    const key = `${model}@${version} ${count.role}`;
    const sum = versions.get(key);
    versions.set(key, sum === undefined ? { ...count, model, version, training } : merge(sum, count));
  }
  return [...versions.values()].toSorted((a, b) => a.version - b.version || (a.role < b.role ? -1 : 1));
}

function merge(sum: VersionCounts, more: Omit<RevisionCounts, 'revision'>): VersionCounts {
  const cells = (a: VersionCounts['columns'][number], b: VersionCounts['columns'][number] | undefined) => ({
    counts: a.counts.map((count, cell) => count + (b?.counts[cell] ?? 0)),
    other: a.other + (b?.other ?? 0),
    nulls: a.nulls + (b?.nulls ?? 0),
  });
  return {
    ...sum,
    rows: sum.rows + more.rows,
    errors: sum.errors + more.errors,
    labelled: sum.labelled + more.labelled,
    neverKnown: sum.neverKnown + more.neverKnown,
    columns: sum.columns.map((column, place) => cells(column, more.columns[place])),
    score: cells({ ...sum.score, other: 0 }, { ...more.score, other: 0 }),
    labels: mergeScoreCounts(sum.labels, more.labels),
  };
}

const toFigure = ({ value, n, interval }: Estimate): Figure => ({
  value,
  n,
  ...(interval && { lower: interval.lower, upper: interval.upper }),
});

/** Metrics of the labelled rows by the name that a monitor's targets use; those that cannot be computed are absent. */
export function metricsOf(counts: VersionCounts, confidence: number): Readonly<Record<string, Estimate>> {
  const metrics = metricsOfScoreCounts(counts.labels, { confidence });
  if (metrics === undefined) return {};
  const found: Readonly<Record<string, Estimate | undefined>> = {
    auc: metrics.auc,
    log_loss: metrics.logLoss,
    brier: metrics.brier,
    f1: metrics.f1,
    accuracy: metrics.accuracy,
    precision: metrics.precision,
    recall: metrics.recall,
    calibration_error: metrics.calibration.expectedError,
  };
  return Object.fromEntries(
    Object.entries(found).flatMap(([name, estimate]) => (estimate === undefined ? [] : [[name, estimate]])),
  );
}

/** Why there is too little to judge a window by: whose rows count, how many there are, and what is missing. */
export function describeLack(
  { minLabelled, windowMs }: { readonly minLabelled: number; readonly windowMs: number },
  champion: { readonly model: string; readonly version: number } | undefined,
  window: { readonly all: readonly VersionCounts[]; readonly endMs: number },
): string {
  if (champion === undefined) return 'no version is champion yet, so there is nothing to judge';
  const primary = window.all.filter(({ role }) => role === 'primary');
  const own = primary.find(({ model, version }) => model === champion.model && version === champion.version);
  const { rows = 0, labelled = 0, neverKnown = 0 } = own ?? {};
  const others = primary.reduce((sum, one) => sum + (one === own ? 0 : one.rows), 0);
  const span = windowMs % dayMs === 0 ? `${windowMs / dayMs}d` : `${windowMs / hourMs}h`;
  return [
    `${number(labelled)} of ${number(minLabelled)} labelled rows in the window of ${span} until ${new Date(window.endMs).toISOString().slice(0, 10)}`,
    `${number(rows - labelled - neverKnown)} predictions wait for truth`,
    ...(neverKnown > 0 ? [`${number(neverKnown)} will never have any`] : []),
    ...(others > 0
      ? [`only version ${champion.version}, the champion, counts: ${number(others)} rows are of other versions`]
      : []),
  ].join('; ');
}

const number = (value: number): string => value.toLocaleString('en-US');

/** Each input and the score beside the training data, judged together. */
export function driftOf(counts: VersionCounts, rule: DriftRule): Pick<WindowPart, 'drift' | 'predictionDrift'> {
  const { training } = counts;
  if (training === undefined) return { drift: [] };
  const measures = training.columns.map((column, place): ColumnMeasure => {
    const current = counts.columns[place];
    if (current === undefined) return { values: undefined, missing: undefined };
    return column.kind === 'numeric' ? measureNumbers(column.cells, current) : measureCategories(column.cells, current);
  });
  const drift = judgeDrift(measures, rule).map((verdict, place) =>
    toFinding(training.columns[place]?.name ?? '', measures[place], verdict),
  );
  if (training.score === undefined) return { drift };
  const measure = measureNumbers(training.score.cells, counts.score);
  const [verdict] = judgeDrift([measure], rule);
  return { drift, ...(verdict && { predictionDrift: toFinding('score', measure, verdict) }) };
}

/** The figures are those of the test that the verdict rests on; without one, those of the values. */
function toFinding(column: string, measure: ColumnMeasure | undefined, verdict: DriftVerdict): DriftFinding {
  const { state, reason, adjustedPValue } = verdict;
  const { values, missing } = measure ?? {};
  const method = verdict.method ?? values?.method;
  const test = method === 'missing' ? missing : values;
  return {
    column,
    state,
    reason,
    ...(method !== undefined && { method }),
    ...(test && { effect: test.effect }),
    ...(test?.pValue !== undefined && { pValue: test.pValue }),
    ...(adjustedPValue !== undefined && { adjustedPValue }),
    ...(values && { psi: values.psi.value }),
    rows: values?.currentRows ?? 0,
    ...(missing && { missingShare: missing.currentNullShare, trainingMissingShare: missing.referenceNullShare }),
  };
}

export function toPart(
  counts: VersionCounts,
  options: {
    readonly champion: { readonly model: string; readonly version: number } | undefined;
    readonly confidence: number;
    /** Counts of the span that drift is looked at in; undefined: it is not. */
    readonly drift: { readonly counts: VersionCounts | undefined; readonly rule: DriftRule } | undefined;
  },
): WindowPart {
  const { model, version, rows, errors, labelled, neverKnown } = counts;
  const role: Role = counts.role;
  const drift = options.drift?.counts === undefined ? { drift: [] } : driftOf(options.drift.counts, options.drift.rule);
  const metrics = metricsOf(counts, options.confidence);
  return {
    model,
    version,
    role,
    champion: options.champion?.model === model && options.champion.version === version,
    rows,
    errors,
    labelled,
    neverKnown,
    labelledShare: rows === 0 ? 0 : labelled / rows,
    metrics: Object.fromEntries(Object.entries(metrics).map(([name, estimate]) => [name, toFigure(estimate)])),
    ...drift,
  };
}
