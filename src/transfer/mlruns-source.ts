import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { toMetricNumber } from '#contracts/metric-number';
import type { HistoryRecord } from '#contracts/transfer';
import { number, text } from './json.ts';
import { createMlrunsFiles, isDeleted, isPlainName, type Meta, type MlrunsFiles } from './mlruns-files.ts';
import { createMlrunsInputs } from './mlruns-inputs.ts';
import { readModel } from './mlruns-registry.ts';
import { tracesIn } from './mlruns-traces.ts';
import { pointsOfHistory, type Source, type SourceModel, type SourceRun, withNameTag } from './source.ts';
import { openArtifacts } from './source-artifacts.ts';
import { createLeftLinks } from './source-links.ts';
import { TransferError } from './transfer-error.ts';

/*
 * MLflow's file store:
 *   <experiment>/meta.yaml, tags/, datasets/<id>/meta.yaml, models/<model>/{meta.yaml, params/, tags/, metrics/, artifacts/}
 *   <experiment>/<run>/{meta.yaml, params/, tags/, metrics/, artifacts/, inputs/<id>/meta.yaml, outputs/<id>/meta.yaml}
 *   models/<name>/{meta.yaml, tags/, aliases/, version-<n>/{meta.yaml, tags/}}, .trash/<deleted experiment>
 * A key with slashes is a path of folders. A metric is a file of lines `<ms> <value> <step>`.
 */

const runsAtOnce = 100;
const notRuns = new Set(['tags', 'datasets', 'traces', 'models']);
const statuses = ['FINISHED', 'RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'] as const;
const modelStatuses = [
  'LOGGED_MODEL_PENDING',
  'LOGGED_MODEL_PENDING',
  'LOGGED_MODEL_READY',
  'LOGGED_MODEL_UPLOAD_FAILED',
] as const;

/** Python writes `nan`, `inf` and `-inf`. */
function parseValue(word: string): number {
  const plain = word.toLowerCase();
  if (plain === 'nan') return Number.NaN;
  if (/^[+-]?inf(?:inity)?$/.test(plain))
    return plain.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(plain);
}

interface Line {
  readonly atMs: number;
  readonly value: number;
  readonly step: number;
  readonly more: readonly string[];
}

/** The lines of a metric's file; one that was cut off by a crash is told, not guessed. */
async function* linesOf(file: string): AsyncGenerator<Line> {
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() === '') continue;
    const [at, value, step = '0', ...more] = line.trim().split(' ');
    const read = { atMs: Number(at), value: parseValue(value ?? ''), step: Number(step), more };
    if (value === undefined || !Number.isInteger(read.atMs) || !Number.isInteger(read.step))
      throw new TransferError(
        'SOURCE_UNREADABLE',
        'invalid',
        `${file} has a line that is no point of a metric: "${line.slice(0, 100)}"; mend or remove the line`,
      );
    yield read;
  }
}

/** A folder that MLflow's file store has written: `./mlruns`. */
export async function createMlrunsSource(root: string): Promise<Source> {
  const links = createLeftLinks();
  const files = createMlrunsFiles(links);
  const { readMeta, foldersOf, keysOf, pairsOf } = files;
  const inputs = createMlrunsInputs(files);
  const experimentFolders = new Map<string, string>();
  const runFolders = new Map<string, string>();
  for (const base of [root, join(root, '.trash')])
    for (const name of await foldersOf(base))
      if (name !== 'models' && (await readMeta(join(base, name))) !== undefined)
        experimentFolders.set(name, join(base, name));
  if (experimentFolders.size === 0)
    throw new TransferError(
      'SOURCE_UNREADABLE',
      'invalid',
      `${root} is no folder of MLflow: no experiment with a meta.yaml is in it`,
    );
  const folderOf = (experimentId: string) => experimentFolders.get(experimentId) ?? join(root, experimentId);

  async function toRun(folder: string, experimentId: string, datasets: (id: string) => Promise<Meta | undefined>) {
    const meta = await readMeta(folder);
    if (meta === undefined) return undefined;
    const id = text(meta['run_id'] ?? meta['run_uuid']);
    if (id === '') return undefined;
    const tags = await pairsOf(join(folder, 'tags'));
    const name =
      text(meta['run_name'] ?? meta['name']) || (tags.find(({ key }) => key === 'mlflow.runName')?.value ?? '');
    const metrics = join(folder, 'metrics');
    const sizes: (readonly [string, number])[] = [];
    for (const key of await keysOf(metrics)) sizes.push([key, (await stat(join(metrics, key))).size]);
    const endMs = number(meta['end_time']);
    const run: SourceRun = {
      record: {
        id,
        experimentId,
        name,
        status: statuses.find((status) => status === meta['status']) ?? statuses[number(meta['status'])] ?? 'FINISHED',
        user: text(meta['user_id']),
        startMs: number(meta['start_time']),
        ...(endMs > 0 && { endMs }),
        lifecycle: isDeleted(meta) ? 'deleted' : 'active',
        ...(isDeleted(meta) && number(meta['deleted_time']) > 0 && { deletedMs: number(meta['deleted_time']) }),
        params: await pairsOf(join(folder, 'params')),
        tags: withNameTag(name, tags),
        ...(await inputs.of(folder, datasets)),
      },
      artifactUri: text(meta['artifact_uri']),
      points: sizes.length === 0 ? 0 : undefined,
      hint: sizes,
    };
    runFolders.set(id, folder);
    return run;
  }

  return {
    label: root,

    async experiments() {
      const found = [];
      for (const [name, folder] of experimentFolders) {
        const meta = (await readMeta(folder)) ?? {};
        found.push({
          record: {
            id: text(meta['experiment_id']) || name,
            name: text(meta['name']) || name,
            lifecycle: isDeleted(meta) ? ('deleted' as const) : ('active' as const),
            createdMs: number(meta['creation_time']),
            updatedMs: number(meta['last_update_time'] ?? meta['creation_time']),
            tags: await pairsOf(join(folder, 'tags')),
          },
          artifactUri: text(meta['artifact_location']),
        });
      }
      return found;
    },

    async *runs(experimentId) {
      const folder = folderOf(experimentId);
      let page: SourceRun[] = [];
      for (const name of await foldersOf(folder)) {
        if (notRuns.has(name)) continue;
        const run = await toRun(join(folder, name), experimentId, async (id) =>
          isPlainName(id) ? await readMeta(join(folder, 'datasets', id)) : undefined,
        );
        if (run !== undefined) page.push(run);
        if (page.length < runsAtOnce) continue;
        yield page;
        page = [];
      }
      if (page.length > 0) yield page;
    },

    async *histories(runs) {
      for (const { record } of runs) {
        const folder = join(runFolders.get(record.id) ?? '', 'metrics');
        for (const key of await keysOf(folder)) yield* historiesOf(record.id, key, join(folder, key));
      }
    },

    async *loggedModels(experimentId) {
      const folder = join(folderOf(experimentId), 'models');
      const page: SourceModel[] = [];
      for (const name of await foldersOf(folder)) {
        const model = await toLoggedModel(files, join(folder, name), experimentId);
        if (model === undefined) continue;
        page.push(model);
        runFolders.set(model.record.id, join(folder, name));
      }
      if (page.length > 0) yield page;
    },

    async *traces(experimentId) {
      yield* tracesIn(files, join(folderOf(experimentId), 'traces'), experimentId);
    },
    // they are in a file of each trace
    spans: async () => new Map(),

    async *models() {
      for (const name of await foldersOf(join(root, 'models'))) {
        const model = await readModel(files, join(root, 'models', name), name);
        if (model !== undefined) yield model;
      }
    },

    artifacts(uri, owner) {
      const folder = runFolders.get(owner);
      const moved = folder === undefined ? undefined : join(folder, 'artifacts');
      return openArtifacts(uri, { owner, links, root, moved });
    },

    leftBehind: async () => [...inputs.leftBehind(), ...links.leftBehind()],
    close: async () => undefined,
  };
}

/** Exact duplicates, which the file store keeps, once. */
async function* historiesOf(runId: string, key: string, file: string): AsyncGenerator<HistoryRecord> {
  let open: HistoryRecord = { runId, key, atMs: [], steps: [], values: [] };
  const seen = new Set<string>();
  for await (const { atMs, step, value } of linesOf(file)) {
    const point = `${atMs} ${step} ${value}`;
    if (seen.has(point)) continue;
    seen.add(point);
    if (open.values.length >= pointsOfHistory) {
      yield open;
      open = { runId, key, atMs: [], steps: [], values: [] };
    }
    open.atMs.push(atMs);
    open.steps.push(step);
    open.values.push(toMetricNumber(value));
  }
  if (open.values.length > 0) yield open;
}

async function toLoggedModel(
  files: MlrunsFiles,
  folder: string,
  experimentId: string,
): Promise<SourceModel | undefined> {
  const meta = await files.readMeta(folder);
  if (meta === undefined) return undefined;
  const metrics: SourceModel['record']['metrics'] = [];
  for (const key of await files.keysOf(join(folder, 'metrics')))
    for await (const { atMs, step, value, more } of linesOf(join(folder, 'metrics', key)))
      metrics.push({
        key,
        runId: more[0] ?? text(meta['source_run_id']),
        atMs,
        step,
        value: toMetricNumber(value),
        datasetName: more[1] ?? '',
        datasetDigest: more[2] ?? '',
      });
  return {
    record: {
      id: text(meta['model_id']),
      experimentId,
      name: text(meta['name']),
      type: text(meta['model_type']),
      ...(text(meta['source_run_id']) !== '' && { sourceRunId: text(meta['source_run_id']) }),
      status: modelStatuses[number(meta['status'])] ?? 'LOGGED_MODEL_PENDING',
      statusMessage: text(meta['status_message']),
      createdMs: number(meta['creation_timestamp']),
      updatedMs: number(meta['last_updated_timestamp']),
      ...(isDeleted(meta) && { deletedMs: number(meta['last_updated_timestamp']) }),
      params: await files.pairsOf(join(folder, 'params')),
      tags: await files.pairsOf(join(folder, 'tags')),
      metrics,
    },
    artifactUri: text(meta['artifact_location']),
  };
}
