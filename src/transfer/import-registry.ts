import { exportFiles, importModel, type ModelRecord, type VersionRecord } from '#contracts/transfer';
import { isOddFolder, proxiedPathOf, whyOddFolder } from './artifact-path.ts';
import { batchesOf } from './batches.ts';
import type { ImportState } from './import-state.ts';
import { sendMissing } from './send-files.ts';
import { ownerOfUri } from './source.ts';
import { pagesOf } from './tidemill-source.ts';

export interface ImportedRegistry {
  readonly records: readonly ModelRecord[];
  readonly versions: number;
  /** What differs here already and was left, in words. */
  readonly left: readonly string[];
  /** Models that the project does not take, and why. */
  readonly refused: readonly string[];
}

const versionsAtOnce = 200;

/** Brings registered models in; addresses into the source's artifacts become those that the bytes have here. */
export async function importRegistry(state: ImportState): Promise<ImportedRegistry> {
  const { source, api, progress, noteNul, step } = state;
  const records: ModelRecord[] = [];
  const left: string[] = [];
  const refused: string[] = [];
  let versions = 0;
  for await (const model of source.models()) {
    const moved: VersionRecord[] = [];
    for (const version of model.versions) moved.push(await moveVersion(state, model.name, version));
    const whole = { ...model, versions: moved };
    try {
      for (const batch of partsOf(whole))
        for (const [part] of batchesOf([batch], 1, noteNul('model')))
          if (part !== undefined) left.push(...(await api.call(importModel, { body: part })).left);
      records.push(whole);
      versions += model.versions.length;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refused.push(`model "${model.name}" is not here: ${error.message}`);
    }
    progress.models += 1;
    step();
  }
  return { records, versions, left, refused };
}

/** True for what the server says of this one model: the others may go on. */
const isRefusal = (error: unknown): error is Error =>
  error instanceof Error && 'kind' in error && (error.kind === 'invalid' || error.kind === 'conflict');

/** A model of very many versions in several; aliases come with the last, when all versions are there. */
function* partsOf(model: ModelRecord): Generator<ModelRecord> {
  for (let at = 0; at === 0 || at < model.versions.length; at += versionsAtOnce) {
    const versions = model.versions.slice(at, at + versionsAtOnce);
    yield { ...model, versions, aliases: at + versionsAtOnce >= model.versions.length ? model.aliases : [] };
  }
}

async function moveVersion(state: ImportState, model: string, version: VersionRecord): Promise<VersionRecord> {
  const { api, places } = state;
  const source = relocate(version.source, places);
  const storageLocation =
    resolveIndirect(version.source, places) ?? relocate(version.storageLocation || version.source, places);
  const folder = proxiedPathOf(storageLocation);
  if (folder === undefined) return { ...version, source, storageLocation, files: await sendOwnFiles(state, version) };
  if (isOddFolder(folder)) {
    state.leave(`files of version ${version.version} of model "${model}" at ${storageLocation}: ${whyOddFolder}`);
    return { ...version, source, storageLocation, files: [] };
  }
  const files: VersionRecord['files'] = [];
  for await (const page of pagesOf((cursor) => api.call(exportFiles, { query: { ...cursor, folder } })))
    for (const file of page) files.push({ ...file, path: file.path.slice(folder.length + 1) });
  return { ...version, source, storageLocation, files };
}

/** Files that are the version's alone, in no folder of a run or logged model. */
async function sendOwnFiles(
  { source, api, options, progress }: ImportState,
  { files }: VersionRecord,
): Promise<VersionRecord['files']> {
  const open = source.bytes?.bind(source);
  if (open === undefined || files.length === 0 || !options.artifacts) return [];
  const wanted = files.map(({ sha256, sizeBytes }) => ({ sha256, sizeBytes, open: () => open(sha256) }));
  progress.sentBytes += await sendMissing(api, wanted, options.signal);
  progress.files += files.length;
  return files;
}

/** The address that bytes in the source's artifacts have here. */
function relocate(uri: string, places: ReadonlyMap<string, string>): string {
  const owner = ownerOfUri(uri);
  const place = owner && places.get(owner.id);
  if (owner === undefined || place === undefined) return uri;
  return owner.path === '' ? place : `${place}/${owner.path}`;
}

/** `models:/m-…` and `runs:/…` name what keeps its id: the place of its bytes here. */
function resolveIndirect(uri: string, places: ReadonlyMap<string, string>): string | undefined {
  const [, id, path = ''] = /^(?:models|runs):\/+((?:m-)?[0-9a-f]{32})(?:\/(.*))?$/s.exec(uri) ?? [];
  const place = id === undefined ? undefined : places.get(id);
  return place === undefined || path === '' ? place : `${place}/${path}`;
}
