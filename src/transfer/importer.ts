import { checkImported, importExperiments, importLoggedModels, importRuns } from '#contracts/transfer';
import { batchesOf } from './batches.ts';
import { chosenExperiments } from './chosen-experiments.ts';
import { sendHistories } from './import-histories.ts';
import { arrive, printOfModel, printOfRun, setOut } from './import-owned.ts';
import { importRegistry } from './import-registry.ts';
import type { ImportReport } from './import-report.ts';
import { createImportState, type ImportOptions, type ImportState } from './import-state.ts';
import { type ImportedTraces, importTracesOf } from './import-traces.ts';
import { requireId, type Source, type SourceExperiment, type SourceModel, type SourceRun } from './source.ts';
import type { TidemillApi } from './target-api.ts';
import { TransferError } from './transfer-error.ts';
import { verifyImport } from './verify-import.ts';

const recordsAtOnce = 500;
const idsAtOnce = 500;

/**
 * Brings everything of a source into a project: experiments, then runs page by page (records, points, bytes, and last the
 * mark that says that they are wholly there), logged models, the registry. Every call may come twice, so whatever broke
 * off is simply done again; what is marked and has not changed at the source is passed by.
 */
export async function importFrom(source: Source, api: TidemillApi, options: ImportOptions): Promise<ImportReport> {
  const state = createImportState(source, api, options);
  const { progress, expected, step } = state;
  const experiments = await chosenExperiments(source, options.experiments);
  progress.experimentsInAll = experiments.length;
  await requireOwn(state, experiments);
  const idOf = await importExperimentsOf(state, experiments);
  const traces = new Map<string, ImportedTraces>();
  for (const experiment of experiments) {
    const { id, name } = experiment.record;
    for await (const page of source.runs(id)) await importRunsPage(state, page, experiment, idOf(id));
    for await (const page of source.loggedModels(id)) await importModelsPage(state, page, experiment, idOf(id));
    traces.set(name, await importTracesOf(state, experiment, idOf(id)));
    progress.experiments += 1;
    step();
  }
  const registry = await importRegistry(state);
  const verified = await verifyImport(api, expected, registry.records);
  return {
    source: source.label,
    experiments: experiments.map(({ record: { name, id } }) => ({ name, givenId: id, id: idOf(id) })),
    expected,
    found: verified.found,
    differences: [
      ...registry.refused,
      ...verified.differences,
      ...[...traces.values()].flatMap(({ differences }) => differences),
    ],
    traces,
    registry,
    kept: [...state.kept.values()],
    leftBehind: await source.leftBehind(),
    left: state.left,
    notes: state.notes,
    progress,
  };
}

/**
 * Looks at the first runs before anything is written: a store that another project of the server has would leave nothing
 * but empty experiments here. Whatever else is another project's is refused when it comes.
 */
async function requireOwn({ source, api }: ImportState, experiments: readonly SourceExperiment[]): Promise<void> {
  for (const { record } of experiments)
    for await (const page of source.runs(record.id)) {
      const ids = page.slice(0, idsAtOnce).map((run) => requireId('run', run.record.id));
      const { items } = await api.call(checkImported, { body: { ids, count: false } });
      const taken = items.find(({ elsewhere }) => elsewhere === true);
      if (taken !== undefined)
        throw new TransferError(
          'IMPORT_ELSEWHERE',
          'conflict',
          `"${taken.id}" is in another project of this server already, and an id names one thing: import into that project, or take it away there first; nothing was written`,
        );
      if (ids.length > 0) return;
    }
}

/** The ids that experiments have here, by those that they have at the source. */
async function importExperimentsOf(
  { api, noteNul }: ImportState,
  experiments: readonly SourceExperiment[],
): Promise<(givenId: string) => string> {
  const ids = new Map<string, string>();
  for (const batch of batchesOf(experiments.map(toExperimentRecord), recordsAtOnce, noteNul('experiment')))
    for (const { givenId, id } of (await api.call(importExperiments, { body: { experiments: batch } })).items)
      ids.set(givenId, id);
  return (givenId) => ids.get(givenId) ?? givenId;
}

/** An experiment's own place is this server's unless its bytes stay in a store of objects. */
function toExperimentRecord({ record, artifactUri }: SourceExperiment): SourceExperiment['record'] {
  const isElsewhere = /^[a-z][a-z0-9+.-]+:/i.test(artifactUri) && !/^(?:file|mlflow-artifacts):/i.test(artifactUri);
  return isElsewhere ? { ...record, keptAt: artifactUri } : record;
}

async function importRunsPage(
  state: ImportState,
  page: readonly SourceRun[],
  experiment: SourceExperiment,
  experimentId: string,
): Promise<void> {
  const { api, progress, noteNul, step } = state;
  const pathOf = (id: string): string => `${experimentId}/${id}/artifacts`;
  const to = { noun: 'run', experimentId, pathOf, printOf: printOfRun } as const;
  const { open, travelling } = await setOut<SourceRun['record'], SourceRun>(state, page, experiment, to);
  const records = travelling.map(({ record }) => record);
  for (const runs of batchesOf(records, recordsAtOnce, noteNul('run'))) await api.call(importRuns, { body: { runs } });
  progress.runs += page.length - open.length;
  step();
  const points = await sendHistories(state, open);
  progress.runs += open.length;
  await arrive(state, travelling, experiment, points);
}

async function importModelsPage(
  state: ImportState,
  page: readonly SourceModel[],
  experiment: SourceExperiment,
  experimentId: string,
): Promise<void> {
  const { api, progress, noteNul } = state;
  const pathOf = (id: string): string => `${experimentId}/models/${id}/artifacts`;
  const to = { noun: 'logged model', experimentId, pathOf, printOf: printOfModel } as const;
  const { travelling } = await setOut<SourceModel['record'], SourceModel>(state, page, experiment, to);
  const records = travelling.map(({ record }) => record);
  for (const models of batchesOf(records, recordsAtOnce, noteNul('logged model')))
    await api.call(importLoggedModels, { body: { models } });
  progress.loggedModels += page.length;
  await arrive(state, travelling, experiment, new Map());
}
