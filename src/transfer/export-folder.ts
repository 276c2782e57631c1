import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { appendFile, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import type { LoggedModelRecord, ModelRecord, RunRecord } from '#contracts/transfer';
import { writeTraces } from './export-traces.ts';
import { chosenExperiments } from './importer.ts';
import { noProgress, type Progress } from './progress.ts';
import { toPythonYaml } from './python-yaml.ts';
import { ownerOfUri, type Source, type SourceExperiment, type SourceModel, type SourceRun } from './source.ts';

const runStatuses = { RUNNING: 1, SCHEDULED: 2, FINISHED: 3, FAILED: 4, KILLED: 5 } as const;
const modelStatuses = { LOGGED_MODEL_PENDING: 1, LOGGED_MODEL_READY: 2, LOGGED_MODEL_UPLOAD_FAILED: 3 } as const;

export interface ExportReport {
  readonly to: string;
  readonly progress: Progress;
  /** What MLflow cannot keep there, in words. */
  readonly left: string[];
}

export interface ExportOptions {
  readonly experiments?: readonly string[] | undefined;
  readonly signal: AbortSignal;
  onProgress(progress: Progress): void;
}

const uriOf = (path: string): string => pathToFileURL(path).href;

async function writeMeta(path: string, meta: object): Promise<void> {
  await mkdir(path, { recursive: true });
  const draft = join(path, 'meta.yaml.part');
  await writeFile(draft, toPythonYaml(meta));
  await rename(draft, join(path, 'meta.yaml'));
}

/**
 * Writes a project as MLflow's file store (mlruns-source.ts has its layout), with all ids. A run's meta.yaml is written
 * last, by rename: a folder without one is no run to MLflow, and is written again by the next export.
 */
export async function exportToFolder(source: Source, folder: string, options: ExportOptions): Promise<ExportReport> {
  const progress = noProgress();
  const left: string[] = [];
  /** By id of run or logged model: its folder. */
  const places = new Map<string, string>();
  const step = () => {
    options.signal.throwIfAborted();
    options.onProgress(progress);
  };

  /** A key is the path of a file; one that is a folder of another key's path cannot be. */
  async function writeKey(folderOfKeys: string, key: string, text: string, owner: string): Promise<boolean> {
    const file = join(folderOfKeys, key);
    try {
      if (!file.startsWith(folderOfKeys + sep)) throw new Error('leaves its folder');
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
      return true;
    } catch (error) {
      left.push(`"${key}" of ${owner} cannot be a file beside its other keys (${(error as Error).message})`);
      return false;
    }
  }

  async function writePairs(path: string, pairs: RunRecord['tags'], owner: string): Promise<void> {
    await mkdir(path, { recursive: true });
    for (const { key, value } of pairs) await writeKey(path, key, value, owner);
  }

  async function writeFiles(uri: string, into: string): Promise<string> {
    const found = await source.artifacts(uri);
    if (!('files' in found)) return uri;
    await mkdir(into, { recursive: true });
    for await (const file of found.files) {
      options.signal.throwIfAborted();
      const path = join(into, file.path);
      if (!path.startsWith(into + sep)) throw new Error(`the file ${file.path} would leave ${into}`);
      progress.files += 1;
      progress.fileBytes += file.sizeBytes;
      // bytes do not change under an equal size but by a rewrite of the same length, which a digest would tell: this is a copy
      if ((await stat(path).catch(() => undefined))?.size === file.sizeBytes && file.sizeBytes > 0) continue;
      await mkdir(dirname(path), { recursive: true });
      await copyChecked(file, path);
      progress.sentBytes += file.sizeBytes;
      step();
    }
    return uriOf(into);
  }

  async function writeHistories(runs: readonly SourceRun[]): Promise<void> {
    const begun = new Set<string>();
    for await (const { runId, key, atMs, steps, values } of source.histories(runs)) {
      const metrics = join(places.get(runId) ?? '', 'metrics');
      const lines = values.map((value, index) => `${atMs[index]} ${toPython(value)} ${steps[index]}\n`).join('');
      const id = `${runId} ${key}`;
      if (!begun.has(id)) await writeKey(metrics, key, lines, `run ${runId}`);
      else await appendFile(join(metrics, key), lines);
      begun.add(id);
      progress.points += values.length;
      step();
    }
  }

  async function writeRuns(page: readonly SourceRun[], base: string): Promise<void> {
    for (const { record } of page) {
      const own = join(base, record.id);
      places.set(record.id, own);
      await rm(join(own, 'meta.yaml'), { force: true });
      for (const name of ['metrics', 'artifacts']) await mkdir(join(own, name), { recursive: true });
      await writePairs(join(own, 'params'), record.params, `run ${record.id}`);
      await writePairs(join(own, 'tags'), record.tags, `run ${record.id}`);
      await writeInputs(own, base, record);
    }
    await writeHistories(page);
    for (const { record, artifactUri } of page) {
      const own = join(base, record.id);
      const uri = await writeFiles(artifactUri, join(own, 'artifacts'));
      await writeMeta(own, toRunMeta(record, uri));
      progress.runs += 1;
      step();
    }
  }

  async function writeModel({ record, artifactUri }: SourceModel, base: string): Promise<void> {
    const own = join(base, 'models', record.id);
    places.set(record.id, own);
    await mkdir(join(own, 'metrics'), { recursive: true });
    await writePairs(join(own, 'params'), record.params, `logged model ${record.id}`);
    await writePairs(join(own, 'tags'), record.tags, `logged model ${record.id}`);
    const lines = new Map<string, string>();
    for (const { key, atMs, value, step: at, runId, datasetName, datasetDigest } of record.metrics) {
      const dataset = datasetName === '' ? '' : ` ${datasetName} ${datasetDigest}`;
      lines.set(key, `${lines.get(key) ?? ''}${atMs} ${toPython(value)} ${at} ${runId}${dataset}\n`);
    }
    for (const [key, text] of lines) await writeKey(join(own, 'metrics'), key, text, `logged model ${record.id}`);
    const uri = await writeFiles(artifactUri, join(own, 'artifacts'));
    await writeMeta(own, toModelMeta(record, uri));
    progress.loggedModels += 1;
    step();
  }

  async function writeRegistered(model: ModelRecord): Promise<void> {
    if (model.name === '.' || model.name === '..') {
      left.push(`model "${model.name}" cannot be a folder of its own`);
      return;
    }
    const own = join(folder, 'models', model.name);
    await writePairs(join(own, 'tags'), model.tags, `model ${model.name}`);
    await writePairs(
      join(own, 'aliases'),
      model.aliases.map(({ alias, version }) => ({ key: alias, value: String(version) })),
      `model ${model.name}`,
    );
    for (const version of model.versions) {
      const at = join(own, `version-${version.version}`);
      await writePairs(join(at, 'tags'), version.tags, `model ${model.name}`);
      await writeMeta(
        at,
        toVersionMeta(model.name, version, (uri) => relocate(uri, places)),
      );
    }
    await writeMeta(own, {
      name: model.name,
      description: model.description || null,
      creation_timestamp: model.createdMs,
      last_updated_timestamp: model.updatedMs,
    });
    progress.models += 1;
    step();
  }

  const experiments = await chosenExperiments(source, options.experiments);
  progress.experimentsInAll = experiments.length;
  for (const experiment of experiments) {
    const base = join(folder, ...(experiment.record.lifecycle === 'deleted' ? ['.trash'] : []), experiment.record.id);
    await writePairs(join(base, 'tags'), experiment.record.tags, `experiment ${experiment.record.name}`);
    await writeMeta(base, toExperimentMeta(experiment, uriOf(join(folder, experiment.record.id))));
    for await (const page of source.runs(experiment.record.id)) await writeRuns(page, base);
    for await (const page of source.loggedModels(experiment.record.id))
      for (const model of page) await writeModel(model, base);
    await writeTraces(source, experiment.record.id, base, { progress, left, step, writePairs, writeFiles });
    progress.experiments += 1;
    step();
  }
  await mkdir(join(folder, 'models'), { recursive: true });
  for await (const model of source.models()) await writeRegistered(model);
  return { to: folder, progress, left };
}

async function writeInputs(own: string, base: string, record: RunRecord): Promise<void> {
  for (const { tags, ...dataset } of record.datasets) {
    const id = createHash('md5')
      .update(JSON.stringify([dataset.name, dataset.digest]))
      .digest('hex');
    const { sourceType, ...fields } = dataset;
    await writeMeta(join(base, 'datasets', id), { ...fields, source_type: sourceType });
    await writeMeta(join(own, 'inputs', id), {
      source_type: 'DATASET',
      source_id: id,
      destination_type: 'RUN',
      destination_id: record.id,
      tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])),
    });
  }
  for (const id of record.modelInputs)
    await writeMeta(join(own, 'inputs', id), {
      source_type: 'RUN_INPUT',
      source_id: record.id,
      destination_type: 'MODEL_INPUT',
      destination_id: id,
      tags: {},
    });
  for (const { modelId, step: at } of record.modelOutputs)
    await writeMeta(join(own, 'outputs', modelId), {
      source_type: 'RUN_OUTPUT',
      source_id: record.id,
      destination_type: 'MODEL_OUTPUT',
      destination_id: modelId,
      step: at,
      tags: {},
    });
}

/** Copies bytes and compares their digest; a copy that broke off leaves a draft. */
async function copyChecked(
  file: { readonly path: string; readonly sha256?: string; open(): Promise<Readable> },
  path: string,
): Promise<void> {
  const digest = createHash('sha256');
  const draft = `${path}.part`;
  await pipeline(
    await file.open(),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        digest.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(draft),
  );
  const found = digest.digest('hex');
  if (file.sha256 !== undefined && file.sha256 !== found)
    throw new Error(`the bytes of ${file.path} arrived as ${found}, not ${file.sha256}: start the export again`);
  await rename(draft, path);
}

/** Python reads `nan`, `inf` and `-inf`. */
const toPython = (value: number | string): string =>
  value === 'NaN' ? 'nan' : value === 'Infinity' ? 'inf' : value === '-Infinity' ? '-inf' : String(value);

function relocate(uri: string, places: ReadonlyMap<string, string>): string {
  const owner = ownerOfUri(uri);
  const place = owner && places.get(owner.id);
  return owner === undefined || place === undefined ? uri : uriOf(join(place, 'artifacts', owner.path));
}

const toExperimentMeta = ({ record, artifactUri }: SourceExperiment, here: string) => ({
  artifact_location: artifactUri.startsWith('mlflow-artifacts:') ? here : artifactUri,
  creation_time: record.createdMs,
  experiment_id: record.id,
  last_update_time: record.updatedMs,
  lifecycle_stage: record.lifecycle,
  name: record.name,
});

const toRunMeta = (record: RunRecord, artifactUri: string) => ({
  artifact_uri: artifactUri,
  deleted_time: record.deletedMs ?? null,
  end_time: record.endMs ?? null,
  entry_point_name: '',
  experiment_id: record.experimentId,
  lifecycle_stage: record.lifecycle,
  run_id: record.id,
  run_name: record.name,
  run_uuid: record.id,
  source_name: '',
  source_type: 4, // LOCAL
  source_version: '',
  start_time: record.startMs,
  status: runStatuses[record.status],
  tags: [],
  user_id: record.user,
});

const toModelMeta = (record: LoggedModelRecord, artifactUri: string) => ({
  artifact_location: artifactUri,
  creation_timestamp: record.createdMs,
  experiment_id: record.experimentId,
  last_updated_timestamp: record.updatedMs,
  model_id: record.id,
  model_type: record.type || null,
  name: record.name,
  source_run_id: record.sourceRunId ?? null,
  status: modelStatuses[record.status],
  status_message: record.statusMessage || null,
});

const toVersionMeta = (name: string, version: ModelRecord['versions'][number], move: (uri: string) => string) => ({
  creation_timestamp: version.createdMs,
  current_stage: version.stage,
  description: version.description || null,
  last_updated_timestamp: version.updatedMs,
  model_id: version.loggedModelId ?? null,
  name,
  run_id: version.trackingRunId ?? null,
  run_link: version.runLink || null,
  source: move(version.source),
  status: 'READY',
  status_message: null,
  storage_location: move(version.storageLocation || version.source),
  user_id: version.user || null,
  version: version.version,
});
