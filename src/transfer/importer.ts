import { importExperiments, importLoggedModels, importRuns } from '#contracts/transfer';
import { batchesOf } from './batches.ts';
import { chosenExperiments } from './chosen-experiments.ts';
import { tellPoints, tellTimes, withExactPoints, withExactTimes } from './exact-points.ts';
import { sendHistories } from './import-histories.ts';
import { arrive, printOfModel, printOfRun, setOut } from './import-owned.ts';
import { importRegistry } from './import-registry.ts';
import type { ImportReport } from './import-report.ts';
import { createImportState, type ImportOptions, type ImportState } from './import-state.ts';
import { type ImportedTraces, importTracesOf } from './import-traces.ts';
import type { Source, SourceExperiment, SourceModel, SourceRun } from './source.ts';
import type { TidemillApi } from './target-api.ts';
import { verifyImport } from './verify-import.ts';

const recordsAtOnce = 500;

/**
 * Brings everything of a source into a project: each experiment with its runs page by page (records, points, bytes, and
 * last the mark that says that they are wholly there) and logged models, then the registry. Every call may come twice, so whatever broke
 * off is simply done again; what is marked and has not changed at the source is passed by.
 */
export async function importFrom(source: Source, api: TidemillApi, options: ImportOptions): Promise<ImportReport> {
  const state = createImportState(source, api, options);
  const { progress, expected, step } = state;
  const experiments = await chosenExperiments(source, options.experiments);
  progress.experimentsInAll = experiments.length;
  const ids = new Map<string, string>();
  const traces = new Map<string, ImportedTraces>();
  for (const experiment of experiments) {
    const { id, name } = experiment.record;
    const idHere = experimentHere(state, experiment);
    for await (const page of source.runs(id)) await importRunsPage(state, page, experiment, idHere);
    for await (const page of source.loggedModels(id)) await importModelsPage(state, page, experiment, idHere);
    ids.set(id, await idHere());
    traces.set(name, await importTracesOf(state, experiment, await idHere()));
    progress.experiments += 1;
    step();
  }
  const registry = await importRegistry(state);
  const verified = await verifyImport(api, expected, registry.records);
  return {
    source: source.label,
    experiments: experiments.map(({ record: { name, id } }) => ({ name, givenId: id, id: ids.get(id) ?? id })),
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

/** The id that an experiment has here. It is made when that is asked for, which is after its first things were looked at. */
function experimentHere({ api, noteNul }: ImportState, experiment: SourceExperiment): () => Promise<string> {
  const make = async (): Promise<string> => {
    const [experiments = []] = batchesOf([toExperimentRecord(experiment)], 1, noteNul('experiment'));
    const { items } = await api.call(importExperiments, { body: { experiments } });
    return items[0]?.id ?? experiment.record.id;
  };
  let made: Promise<string> | undefined;
  return () => (made ??= make());
}

/** An experiment's own place is this server's unless its bytes stay in a store of objects. */
function toExperimentRecord({ record, artifactUri }: SourceExperiment): SourceExperiment['record'] {
  const isElsewhere = /^[a-z][a-z0-9+.-]+:/i.test(artifactUri) && !/^(?:file|mlflow-artifacts):/i.test(artifactUri);
  return isElsewhere ? { ...record, keptAt: artifactUri } : record;
}

const pathOfRun = (experimentId: string, id: string): string => `${experimentId}/${id}/artifacts`;
const pathOfModel = (experimentId: string, id: string): string => `${experimentId}/models/${id}/artifacts`;

async function importRunsPage(
  state: ImportState,
  page: readonly SourceRun[],
  experiment: SourceExperiment,
  idHere: () => Promise<string>,
): Promise<void> {
  const { api, progress, noteNul, leave, step } = state;
  const runs = page.map((run) => ({ ...run, record: withExactTimes(run.record) }));
  const to = { noun: 'run', idHere, pathOf: pathOfRun, printOf: printOfRun } as const;
  const { open, travelling } = await setOut<SourceRun['record'], SourceRun>(state, runs, experiment, to);
  const records = travelling.map(({ record }) => record);
  const sent = new Set(records.map(({ id }) => id));
  for (const { record } of page) if (sent.has(record.id)) tellTimes(record, leave);
  for (const batch of batchesOf(records, recordsAtOnce, noteNul('run')))
    await api.call(importRuns, { body: { runs: batch } });
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
  idHere: () => Promise<string>,
): Promise<void> {
  const { api, progress, noteNul, leave } = state;
  const models = page.map((model) => ({ ...model, record: withExactPoints(model.record) }));
  const to = { noun: 'logged model', idHere, pathOf: pathOfModel, printOf: printOfModel } as const;
  const { travelling } = await setOut<SourceModel['record'], SourceModel>(state, models, experiment, to);
  const records = travelling.map(({ record }) => record);
  const sent = new Set(records.map(({ id }) => id));
  for (const { record } of page) if (sent.has(record.id)) tellPoints(record, leave);
  for (const batch of batchesOf(records, recordsAtOnce, noteNul('logged model')))
    await api.call(importLoggedModels, { body: { models: batch } });
  progress.loggedModels += page.length;
  await arrive(state, travelling, experiment, new Map());
}
