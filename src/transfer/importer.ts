import {
  checkImported,
  type HistoryRecord,
  importExperiments,
  importHistories,
  importLoggedModels,
  importRuns,
  type LoggedModelRecord,
  markImported,
  type RunRecord,
} from '#contracts/transfer';
import { batchesOf } from './batches.ts';
import { importRegistry } from './import-registry.ts';
import type { Expected, ImportReport, KeptFiles } from './import-report.ts';
import { type ImportedTraces, importTracesOf } from './import-traces.ts';
import { noProgress, type Progress } from './progress.ts';
import { digestOfLines, type FilesOfOwner, type FileToSend, sendFiles } from './send-files.ts';
import {
  type ArtifactFolder,
  printOf,
  type Source,
  type SourceExperiment,
  type SourceModel,
  type SourceRun,
} from './source.ts';
import type { TidemillApi } from './target-api.ts';
import { TransferError } from './transfer-error.ts';
import { verifyImport } from './verify-import.ts';

const pointsAtOnce = 20_000;
const recordsAtOnce = 500;
const idsAtOnce = 500;
/** The digest of no files. */
const noFiles = digestOfLines([]);

export interface ImportOptions {
  /** Names; all of them without. */
  readonly experiments?: readonly string[] | undefined;
  /** False: bytes stay where they are, and their addresses are kept. */
  readonly artifacts: boolean;
  /** Reads everything again, also what has not changed since it was brought over. */
  readonly again: boolean;
  readonly signal: AbortSignal;
  /** Hears of each step forward; the object is the same all the time. */
  onProgress(progress: Progress): void;
}

/** A run or logged model on its way. */
interface Travelling {
  readonly id: string;
  readonly record: RunRecord | LoggedModelRecord;
  readonly print: string;
  readonly folder: ArtifactFolder;
  /** Where its files go: the path below `mlflow-artifacts:/`. */
  readonly path: string;
}

/**
 * Brings everything of a source into a project: experiments, then runs page by page (records, points, bytes, and last the
 * mark that says that they are wholly there), logged models, the registry. Every call may come twice, so whatever broke
 * off is simply done again; what is marked and has not changed at the source is passed by.
 */
export async function importFrom(source: Source, api: TidemillApi, options: ImportOptions): Promise<ImportReport> {
  const progress = noProgress();
  const experimentIds = new Map<string, string>();
  const expected = new Map<string, Expected>();
  /** By id of run or logged model: where its bytes are now. */
  const places = new Map<string, string>();
  const kept = new Map<string, KeptFiles>();
  const notes: string[] = [];
  const note = (what: string) => (item: { readonly id?: string; readonly name?: string }) =>
    void notes.push(`${what} ${item.id ?? item.name ?? ''} had a NUL character in a text, which became U+FFFD`);

  const step = (): void => {
    options.signal.throwIfAborted();
    options.onProgress(progress);
  };

  /** The files of each, and where they will be, as the registry names them. */
  async function foldersOf(
    things: readonly (SourceRun | SourceModel)[],
    pathOf: (id: string) => string,
  ): Promise<(id: string) => ArtifactFolder> {
    const folders = new Map<string, ArtifactFolder>();
    for (const { record, artifactUri } of things) {
      const folder = options.artifacts
        ? await source.artifacts(artifactUri)
        : { keptAt: artifactUri, why: 'artifacts were not asked for' };
      folders.set(record.id, folder);
      if ('files' in folder) places.set(record.id, `mlflow-artifacts:/${pathOf(record.id)}`);
    }
    return (id) => folders.get(id) ?? { keptAt: '', why: 'it has no address' };
  }

  function keep(folder: ArtifactFolder): { readonly keptAt?: string } {
    if ('files' in folder) return {};
    const scheme = /^[a-z][a-z0-9+.-]+:/i.exec(folder.keptAt)?.[0] ?? 'file:';
    const why = `${scheme} ${folder.why}`;
    const found = kept.get(why) ?? { why: folder.why, scheme, count: 0, example: folder.keptAt };
    kept.set(why, { ...found, count: found.count + 1 });
    return folder.keptAt === '' ? {} : { keptAt: folder.keptAt };
  }

  /** Those that are not wholly there yet, and what the others have. */
  async function notYet<Thing extends SourceRun | SourceModel>(
    things: readonly Thing[],
    experiment: SourceExperiment,
    printed: (thing: Thing) => string,
  ): Promise<Thing[]> {
    const marks = new Map<
      string,
      { print: string; points: number; files: number; fileBytes: number; filesDigest: string }
    >();
    const ids = things.map(({ record }) => record.id);
    for (let at = 0; at < ids.length; at += idsAtOnce) {
      const body = { ids: ids.slice(at, at + idsAtOnce), count: false };
      for (const { id, mark } of (await api.call(checkImported, { body })).items)
        if (mark !== undefined) marks.set(id, mark);
    }
    return things.filter((thing) => {
      const mark = marks.get(thing.record.id);
      if (options.again || mark === undefined || mark.print !== printed(thing)) return true;
      expect(thing.record, experiment, mark.points, {
        files: mark.files,
        bytes: mark.fileBytes,
        digest: mark.filesDigest,
      });
      progress.points += mark.points;
      progress.files += mark.files;
      progress.fileBytes += mark.fileBytes;
      progress.passedBy += 1;
      return false;
    });
  }

  function expect(
    record: RunRecord | LoggedModelRecord,
    experiment: SourceExperiment,
    points: number,
    files: { readonly files: number; readonly bytes: number; readonly digest: string },
  ): void {
    expected.set(record.id, {
      experiment: experiment.record.name,
      points,
      params: new Set(record.params.map(({ key }) => key)).size,
      tags: new Set(record.tags.map(({ key }) => key)).size,
      ...files,
    });
  }

  /** Bytes, and last the marks: from then on the next import passes these by. */
  async function finish(
    things: readonly Travelling[],
    experiment: SourceExperiment,
    points: ReadonlyMap<string, number>,
  ): Promise<void> {
    const files: ReadonlyMap<string, FilesOfOwner> = await sendFiles(api, filesOf(things), {
      progress,
      signal: options.signal,
    });
    const marks = things.map(({ id, record, print }) => {
      const own = files.get(id);
      const found = {
        files: own?.files ?? 0,
        bytes: own?.bytes ?? 0,
        digest: own ? digestOfLines(own.lines) : noFiles,
      };
      expect(record, experiment, points.get(id) ?? 0, found);
      return {
        id,
        print,
        points: points.get(id) ?? 0,
        files: found.files,
        fileBytes: found.bytes,
        filesDigest: found.digest,
      };
    });
    for (let at = 0; at < marks.length; at += idsAtOnce)
      await api.call(markImported, { body: { marks: marks.slice(at, at + idsAtOnce) } });
    step();
  }

  async function importPage(page: readonly SourceRun[], experiment: SourceExperiment, id: string): Promise<void> {
    const folders = await foldersOf(page, (runId) => `${id}/${runId}/artifacts`);
    const runs = await notYet(page, experiment, printOfRun);
    const travelling: Travelling[] = [];
    for (const run of runs) {
      const folder = folders(run.record.id);
      const record = { ...run.record, experimentId: id, ...keep(folder) };
      travelling.push({
        id: record.id,
        record,
        print: printOfRun(run),
        folder,
        path: `${id}/${record.id}/artifacts`,
      });
    }
    const records = travelling.map(({ record }) => record as RunRecord);
    for (const batch of batchesOf(records, recordsAtOnce, note('run')))
      await api.call(importRuns, { body: { runs: batch } });
    progress.runs += page.length - runs.length;
    step();
    const points = await sendHistories(runs);
    progress.runs += runs.length;
    await finish(travelling, experiment, points);
  }

  /** The points of runs, in requests of some ten thousand: the next is read while one is under way. */
  async function sendHistories(runs: readonly SourceRun[]): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    let batch: HistoryRecord[] = [];
    let size = 0;
    let underWay: Promise<unknown> = Promise.resolve();
    const send = async (): Promise<void> => {
      await underWay;
      step();
      const histories = batch;
      underWay = api.call(importHistories, { body: { histories } });
      underWay.catch(() => undefined); // awaited before the next, and at the end
      [batch, size] = [[], 0];
    };
    for await (const history of source.histories(runs)) {
      batch.push(history);
      size += history.values.length;
      progress.points += history.values.length;
      counts.set(history.runId, (counts.get(history.runId) ?? 0) + history.values.length);
      if (size >= pointsAtOnce || batch.length >= 5000) await send();
    }
    if (batch.length > 0) await send();
    await underWay;
    return counts;
  }

  async function importModelsPage(
    page: readonly SourceModel[],
    experiment: SourceExperiment,
    id: string,
  ): Promise<void> {
    const folders = await foldersOf(page, (modelId) => `${id}/models/${modelId}/artifacts`);
    const models = await notYet(page, experiment, printOfModel);
    const travelling: Travelling[] = [];
    for (const model of models) {
      const folder = folders(model.record.id);
      const record = { ...model.record, experimentId: id, ...keep(folder) };
      const path = `${id}/models/${record.id}/artifacts`;
      travelling.push({ id: record.id, record, print: printOfModel(model), folder, path });
    }
    const records = travelling.map(({ record }) => record as LoggedModelRecord);
    for (const batch of batchesOf(records, recordsAtOnce, note('logged model')))
      await api.call(importLoggedModels, { body: { models: batch } });
    progress.loggedModels += page.length;
    await finish(travelling, experiment, new Map());
  }

  const experiments = await chosenExperiments(source, options.experiments);
  progress.experimentsInAll = experiments.length;
  for (const batch of batchesOf(experiments.map(toExperimentRecord), recordsAtOnce, note('experiment')))
    for (const { givenId, id } of (await api.call(importExperiments, { body: { experiments: batch } })).items)
      experimentIds.set(givenId, id);

  const traces = new Map<string, ImportedTraces>();
  const { artifacts, again, signal } = options;
  const tracesContext = { artifacts, again, signal, progress, note: note('trace'), step };
  for (const experiment of experiments) {
    const id = experimentIds.get(experiment.record.id) ?? experiment.record.id;
    for await (const page of source.runs(experiment.record.id)) await importPage(page, experiment, id);
    for await (const page of source.loggedModels(experiment.record.id)) await importModelsPage(page, experiment, id);
    traces.set(experiment.record.name, await importTracesOf(source, api, experiment, id, tracesContext));
    progress.experiments += 1;
    step();
  }
  const registry = await importRegistry(source, api, { places, progress, note: note('model'), step });

  const verified = await verifyImport(api, expected, registry.records);

  return {
    source: source.label,
    experiments: experiments.map(({ record }) => ({
      name: record.name,
      givenId: record.id,
      id: experimentIds.get(record.id) ?? record.id,
    })),
    expected,
    found: verified.found,
    differences: [...verified.differences, ...[...traces.values()].flatMap(({ differences }) => differences)],
    traces,
    registry,
    kept: [...kept.values()],
    leftBehind: await source.leftBehind(),
    notes,
    progress,
  };
}

const printOfRun = ({ record, hint }: SourceRun): string => printOf(record, hint);
/** Its points are part of its record. */
const printOfModel = ({ record }: SourceModel): string => printOf(record, undefined);

async function* filesOf(things: readonly Travelling[]): AsyncGenerator<FileToSend> {
  for (const { id, folder, path } of things)
    if ('files' in folder) for await (const file of folder.files) yield { owner: id, folder: path, file };
}

/** An experiment's own place is this server's unless its bytes stay in a store of objects. */
function toExperimentRecord({ record, artifactUri }: SourceExperiment): SourceExperiment['record'] {
  const isElsewhere = /^[a-z][a-z0-9+.-]+:/i.test(artifactUri) && !/^(?:file|mlflow-artifacts):/i.test(artifactUri);
  return isElsewhere ? { ...record, keptAt: artifactUri } : record;
}

export async function chosenExperiments(
  source: Source,
  names: readonly string[] | undefined,
): Promise<readonly SourceExperiment[]> {
  const all = await source.experiments();
  if (names === undefined || names.length === 0) return all;
  const missing = names.find((name) => !all.some(({ record }) => record.name === name));
  if (missing !== undefined)
    throw new TransferError(
      'EXPERIMENT_NOT_FOUND',
      'not_found',
      `there is no experiment "${missing}" in ${source.label}; there are: ${all.map(({ record }) => record.name).join(', ')}`,
    );
  return all.filter(({ record }) => names.includes(record.name));
}
