import { join } from 'node:path';
import type { ModelRecord, VersionRecord } from '#contracts/transfer';
import { number, text } from './json.ts';
import type { Meta, MlrunsFiles } from './mlruns-files.ts';
import { ownerOfUri } from './source.ts';

const stages = ['None', 'Staging', 'Production', 'Archived'] as const;

/** A registered model of the file store; undefined for a folder that is none. */
export async function readModel(files: MlrunsFiles, folder: string, name: string): Promise<ModelRecord | undefined> {
  const meta = await files.readMeta(folder);
  if (meta === undefined) return undefined;
  const versions: VersionRecord[] = [];
  for (const below of await files.foldersOf(folder)) {
    const version = below.startsWith('version-') ? await files.readMeta(join(folder, below)) : undefined;
    if (version === undefined || version['current_stage'] === 'Deleted_Internal') continue;
    versions.push(toVersion(version, await files.pairsOf(join(folder, below, 'tags'))));
  }
  const aliases = (await files.pairsOf(join(folder, 'aliases'))).map(({ key, value }) => ({
    alias: key,
    version: Number(value.trim()),
  }));
  return {
    name: text(meta['name']) || name,
    description: text(meta['description']),
    createdMs: number(meta['creation_timestamp']),
    updatedMs: number(meta['last_updated_timestamp']),
    tags: await files.pairsOf(join(folder, 'tags')),
    aliases,
    versions: versions.toSorted((a, b) => a.version - b.version),
  };
}

function toVersion(meta: Meta, tags: VersionRecord['tags']): VersionRecord {
  const owner = text(meta['model_id']) || ownerOfUri(text(meta['storage_location']))?.id;
  return {
    version: number(meta['version']),
    source: text(meta['source']),
    storageLocation: text(meta['storage_location']),
    ...(text(meta['run_id']) !== '' && { trackingRunId: text(meta['run_id']) }),
    ...(owner?.startsWith('m-') === true && { loggedModelId: owner }),
    runLink: text(meta['run_link']),
    description: text(meta['description']),
    stage: stages.find((stage) => stage === meta['current_stage']) ?? 'None',
    user: text(meta['user_id']),
    createdMs: number(meta['creation_timestamp']),
    updatedMs: number(meta['last_updated_timestamp']),
    tags,
    files: [],
  };
}
