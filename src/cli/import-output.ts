import type { ImportReport } from '../transfer/import-report.ts';
import type { ImportPlan } from '../transfer/plan-import.ts';
import { formatTable } from './output.ts';
import { bytesText, plural } from './words.ts';

export const formatPlan = (plan: ImportPlan): string =>
  [
    formatTable(plan.experiments, planColumns, 'There is nothing to bring in.'),
    `${plural(plan.models, 'registered model or prompt', 'registered models and prompts')} with ${plural(plan.versions, 'version')}.`,
    ...leftLines(plan.leftBehind),
  ].join('\n');

const planColumns = [
  { title: 'experiment', value: (row: { readonly name: string }) => row.name },
  { title: 'here', value: (row: { readonly exists: boolean }) => (row.exists ? 'joins it' : 'new') },
  { title: 'runs', value: (row: { readonly runs: number }) => row.runs },
  { title: 'unchanged', value: (row: { readonly unchanged: number }) => row.unchanged },
  { title: 'points', value: (row: { readonly points: number | undefined }) => row.points },
  { title: 'logged models', value: (row: { readonly loggedModels: number }) => row.loggedModels },
];

interface Totals {
  readonly name: string;
  readonly id: string;
  readonly givenId: string;
  readonly runs: number;
  readonly loggedModels: number;
  readonly traces: number;
  readonly spans: number;
  readonly points: number;
  readonly params: number;
  readonly tags: number;
  readonly files: number;
  readonly fileBytes: number;
  readonly verified: boolean;
}

/** What came of each experiment, and whether all of it was found here. */
function totalsOf(report: ImportReport): Totals[] {
  const sums = new Map<
    string,
    {
      runs: number;
      loggedModels: number;
      points: number;
      params: number;
      tags: number;
      files: number;
      fileBytes: number;
    }
  >();
  for (const [id, { experiment, points, params, tags, files, bytes }] of report.expected) {
    const sum = sums.get(experiment) ?? {
      runs: 0,
      loggedModels: 0,
      points: 0,
      params: 0,
      tags: 0,
      files: 0,
      fileBytes: 0,
    };
    if (id.startsWith('m-')) sum.loggedModels += 1;
    else sum.runs += 1;
    sum.points += points;
    sum.params += params;
    sum.tags += tags;
    sum.files += files;
    sum.fileBytes += bytes;
    sums.set(experiment, sum);
  }
  const none = { runs: 0, loggedModels: 0, points: 0, params: 0, tags: 0, files: 0, fileBytes: 0 };
  return report.experiments.map(({ name, id, givenId }) => {
    const sum = sums.get(name) ?? none;
    const found = report.found.get(name) ?? { runs: 0, loggedModels: 0 };
    const traces = report.traces.get(name);
    return {
      name,
      id,
      givenId,
      ...sum,
      traces: traces?.traces ?? 0,
      spans: traces?.spans ?? 0,
      verified:
        found.runs === sum.runs &&
        found.loggedModels === sum.loggedModels &&
        (traces === undefined || traces.differences.length === 0),
    };
  });
}

/** For programs. */
export function toResult(report: ImportReport): object {
  const { source, registry, kept, leftBehind, left, notes, differences, progress } = report;
  return {
    source,
    experiments: totalsOf(report),
    models: registry.records.length,
    versions: registry.versions,
    unchanged: progress.passedBy,
    sentBytes: progress.sentBytes,
    kept,
    leftBehind,
    left: [...registry.left, ...left, ...tracesLeft(report)],
    notes,
    differences,
  };
}

const tracesLeft = ({ traces }: ImportReport): string[] => [...traces.values()].flatMap(({ left }) => left);

const reportColumns = [
  { title: 'experiment', value: (row: Totals) => row.name },
  { title: 'id', value: (row: Totals) => (row.id === row.givenId ? row.id : `${row.id} (was ${row.givenId})`) },
  { title: 'runs', value: (row: Totals) => row.runs },
  { title: 'points', value: (row: Totals) => row.points },
  { title: 'params', value: (row: Totals) => row.params },
  { title: 'tags', value: (row: Totals) => row.tags },
  { title: 'models', value: (row: Totals) => row.loggedModels },
  { title: 'traces', value: (row: Totals) => row.traces },
  { title: 'files', value: (row: Totals) => row.files },
  { title: 'bytes', value: (row: Totals) => bytesText(row.fileBytes) },
  { title: 'verified', value: (row: Totals) => row.verified },
];

export function formatReport(report: ImportReport): string {
  const { registry, kept, notes, differences, progress, leftBehind, left } = report;
  return [
    formatTable(totalsOf(report), reportColumns, 'There was no experiment to bring in.'),
    `${plural(registry.records.length, 'registered model or prompt', 'registered models and prompts')} with ${plural(registry.versions, 'version')}; ${plural(progress.passedBy, 'run or logged model was', 'runs and logged models were')} here unchanged; ${bytesText(progress.sentBytes)} of files were sent.`,
    ...kept.map(
      ({ count, scheme, why, example, owner }) =>
        `Files of ${plural(count, 'run or model', 'runs or models')} stay in ${scheme} (${why}), such as those of ${owner} at ${example || 'no address'}.`,
    ),
    ...registry.left.map((what) => `Left as it is here: ${what}.`),
    ...leftLines([...leftBehind, ...[...left, ...tracesLeft(report)].map((what) => ({ what, count: 0 }))]),
    ...notes,
    ...(differences.length === 0
      ? [registry.left.length === 0 ? 'Everything that was read is here.' : 'All else that was read is here.']
      : ['', `NOT here as it is there (${differences.length}):`, ...differences.map((what) => `- ${what}`)]),
  ].join('\n');
}

function leftLines(left: ImportReport['leftBehind']): string[] {
  return left.map(({ what, count }) =>
    count > 0 ? `Not brought over: ${count} ${what}.` : `Not brought over: ${what}.`,
  );
}
