import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoggedModelRecord, ModelRecord } from '#contracts/transfer';
import { type FolderTarget, toPython, uriOf, writeMeta } from './export-folder-target.ts';
import { isPlainName } from './mlruns-files.ts';
import { ownerOfUri, requireId, type SourceModel } from './source.ts';

const modelStatuses = { LOGGED_MODEL_PENDING: 1, LOGGED_MODEL_READY: 2, LOGGED_MODEL_UPLOAD_FAILED: 3 } as const;

export async function writeLoggedModel(
  target: FolderTarget,
  { record, artifactUri }: SourceModel,
  base: string,
): Promise<void> {
  const owner = `logged model ${record.id}`;
  const own = join(base, 'models', requireId('logged model', record.id));
  const metrics = join(own, 'metrics');
  target.places.set(record.id, own);
  await mkdir(metrics, { recursive: true });
  await target.writePairs(join(own, 'params'), record.params, owner);
  await target.writePairs(join(own, 'tags'), record.tags, owner);
  const lines = new Map<string, string>();
  for (const { key, atMs, value, step: at, runId, datasetName, datasetDigest } of record.metrics) {
    const dataset = datasetName === '' ? '' : ` ${datasetName} ${datasetDigest}`;
    lines.set(key, `${lines.get(key) ?? ''}${atMs} ${toPython(value)} ${at} ${runId}${dataset}\n`);
  }
  for (const [key, text] of lines) await target.writeKey(metrics, key, text, owner);
  const uri = await target.writeFiles(artifactUri, record.id, join(own, 'artifacts'));
  await writeMeta(own, toModelMeta(record, uri));
  target.progress.loggedModels += 1;
  target.step();
}

/** Writes a registered model; addresses into the project's artifacts become those of the folder. */
export async function writeRegistered(target: FolderTarget, model: ModelRecord): Promise<void> {
  const { name } = model;
  if (!isPlainName(name)) {
    target.left.push(`model "${name}" cannot be a folder of its own`);
    return;
  }
  const own = join(target.root, 'models', name);
  const aliases = model.aliases.map(({ alias, version }) => ({ key: alias, value: String(version) }));
  await target.writePairs(join(own, 'tags'), model.tags, `model ${name}`);
  await target.writePairs(join(own, 'aliases'), aliases, `model ${name}`);
  for (const version of model.versions) {
    const at = join(own, `version-${version.version}`);
    await target.writePairs(join(at, 'tags'), version.tags, `model ${name}`);
    const meta = toVersionMeta(name, version, (uri) => relocate(uri, target.places));
    await writeMeta(at, meta);
  }
  await writeMeta(own, {
    name,
    description: model.description || null,
    creation_timestamp: model.createdMs,
    last_updated_timestamp: model.updatedMs,
  });
  target.progress.models += 1;
  target.step();
}

function relocate(uri: string, places: ReadonlyMap<string, string>): string {
  const owner = ownerOfUri(uri);
  const place = owner && places.get(owner.id);
  return owner === undefined || place === undefined ? uri : uriOf(join(place, 'artifacts', owner.path));
}

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
