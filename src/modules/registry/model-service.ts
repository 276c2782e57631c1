import { formatReference } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import type { Ids } from '#platform/ids';
import { isAlias, moveAlias } from './alias-service.ts';
import { listAliasRows } from './alias-store.ts';
import { deleteModelTags, findModelRow, insertModel, listModelTags, setModelTag, updateModel } from './model-store.ts';
import { isPrompt, promptFact } from './prompt-rule.ts';
import type { RegistryDeps } from './registry-deps.ts';
import { registryErrors } from './registry-errors.ts';
import type { ModelRow } from './registry-tables.ts';
import type { Tag } from './registry-types.ts';
import { listVersionParts, listVersionRows, updateVersion } from './version-store.ts';

const maxNameLength = 256;
const maxTagKeyLength = 250;
const maxTagValueLength = 100_000;

function requireName(name: string): void {
  if (name.trim() === '' || name.length > maxNameLength || /[/:]/.test(name))
    throw registryErrors.MODEL_NAME_INVALID(name);
}

export function requireTag({ key, value }: Tag): void {
  if (key === '' || key.length > maxTagKeyLength)
    throw registryErrors.MODEL_TAG_INVALID(
      `a tag's key has 1 to ${maxTagKeyLength} characters, this one ${key.length}`,
    );
  if (value.length > maxTagValueLength)
    throw registryErrors.MODEL_TAG_INVALID(
      `the value of tag "${key}" has ${value.length} characters; at most ${maxTagValueLength} are kept`,
    );
}

/** The live model of that name, or MODEL_NOT_FOUND. */
export async function getModelRow(reader: Reader, project: string, name: string): Promise<ModelRow> {
  const row = await findModelRow(reader, project, name);
  if (row === undefined || row.deleted_ms !== null) throw registryErrors.MODEL_NOT_FOUND(name);
  return row;
}

interface ModelName {
  readonly project: string;
  readonly model: string;
}

interface NewModel {
  readonly description?: string | undefined;
  readonly tags?: readonly Tag[];
}

/** Makes the model of a name that no live one has; one that was deleted comes back empty, its numbers go on. */
async function makeModel(
  unit: Unit,
  ids: Ids,
  { project, model: name }: ModelName,
  { description = '', tags = [] }: NewModel,
): Promise<ModelRow> {
  requireName(name);
  const found = await findModelRow(unit, project, name);
  const fresh = { description, created_ms: unit.nowMs, updated_ms: unit.nowMs, deleted_ms: null };
  const row = { ...(found ?? { model_key: ids.next(), project, name, last_version: 0 }), ...fresh };
  if (found === undefined) await insertModel(unit, row);
  else await updateModel(unit, row.model_key, fresh);
  for (const tag of tags) await setModelTag(unit, row.model_key, tag);
  await unit.emit({
    type: 'model.created',
    project,
    subject: formatReference('model', name),
    data: { model: name, ...(isPrompt(tags) && { prompt: true }) },
  });
  return row;
}

/** The model of that name, made with these tags when it is not there. A prompt in the place of a model is refused, and the other way round. */
export async function ensureModel(
  unit: Unit,
  ids: Ids,
  project: string,
  name: string,
  tags: readonly Tag[] = [],
): Promise<ModelRow> {
  const found = await findModelRow(unit, project, name);
  if (found?.deleted_ms !== null) return makeModel(unit, ids, { project, model: name }, { tags });
  const isOne = (await promptFact(unit, found.model_key)).prompt === true;
  if (isOne !== isPrompt(tags)) throw registryErrors.MODEL_NAME_TAKEN(name, kindOf(isPrompt(tags)), kindOf(isOne));
  return found;
}

const kindOf = (prompt: boolean) => (prompt ? 'prompt' : 'model');

/** A model and a prompt cannot have the same name: whoever asks for one hears which it is. */
async function nameTaken(unit: Unit, { model_key, name }: ModelRow, wantsPrompt: boolean): Promise<Error> {
  const isOne = isPrompt((await listModelTags(unit, [model_key])).get(model_key) ?? []);
  return isOne === wantsPrompt
    ? registryErrors.MODEL_EXISTS(name, kindOf(isOne))
    : registryErrors.MODEL_NAME_TAKEN(name, kindOf(wantsPrompt), kindOf(isOne));
}

async function tellOfTag(
  unit: Unit,
  { model_key, name, project }: ModelRow,
  type: 'model.tag.set' | 'model.tag.deleted',
  key: string,
  fact?: { readonly prompt?: true },
): Promise<void> {
  const data = { model: name, key, ...(fact ?? (await promptFact(unit, model_key))) };
  await unit.emit({ type, project, subject: formatReference('model', name), data });
}

export interface ModelService {
  createModel(unit: Unit, input: ModelName & NewModel): Promise<void>;
  describeModel(unit: Unit, input: ModelName & { readonly description: string }): Promise<void>;
  renameModel(unit: Unit, input: ModelName & { readonly newName: string }): Promise<void>;
  /** Takes the model and its versions away; promotions, lineage and version numbers stay. */
  deleteModel(unit: Unit, input: ModelName): Promise<void>;
  setModelTag(unit: Unit, input: ModelName & Tag): Promise<void>;
  deleteModelTag(unit: Unit, input: ModelName & { readonly key: string }): Promise<void>;
  /** Moves an alias by hand. */
  setAlias(unit: Unit, input: ModelName & { readonly alias: string; readonly version: number }): Promise<void>;
  deleteAlias(unit: Unit, input: ModelName & { readonly alias: string }): Promise<void>;
}

export function createModelService(
  { approvals, ids, artifacts, lineage }: RegistryDeps,
  rejectOpen: (unit: Unit, project: string, model: string, version: number, reason: string) => Promise<void>,
): ModelService {
  return {
    async createModel(unit, { project, model, description, tags = [] }) {
      const found = await findModelRow(unit, project, model);
      if (found?.deleted_ms === null) throw await nameTaken(unit, found, isPrompt(tags));
      tags.forEach(requireTag);
      await makeModel(unit, ids, { project, model }, { description, tags });
    },

    async describeModel(unit, { project, model, description }) {
      const row = await getModelRow(unit, project, model);
      await updateModel(unit, row.model_key, { description, updated_ms: unit.nowMs });
    },

    async renameModel(unit, { project, model, newName }) {
      const row = await getModelRow(unit, project, model);
      requireName(newName);
      if (newName === model) return;
      if ((await findModelRow(unit, project, newName)) !== undefined)
        throw registryErrors.MODEL_EXISTS(newName, 'model');
      await updateModel(unit, row.model_key, { name: newName, updated_ms: unit.nowMs });
      // Files are held in the name of the version, so they follow it.
      const versions = await listVersionRows(unit, row.model_key);
      const parts = await listVersionParts(unit, [row.model_key]);
      for (const { version } of versions) {
        const owner = formatReference('model', newName, version);
        for (const { path, sha256, sizeBytes } of parts(row.model_key, version).files)
          await artifacts.retain(unit, { project, sha256, sizeBytes, owner, name: path });
        await artifacts.release(unit, { project, owner: formatReference('model', model, version) });
      }
      // What came of it under its old name came of the same thing.
      await lineage.record(
        unit,
        project,
        versions.map(({ version }) => ({
          from: formatReference('model', model, version),
          to: formatReference('model', newName, version),
          kind: 'renamed',
        })),
      );
    },

    async deleteModel(unit, { project, model }) {
      const row = await getModelRow(unit, project, model);
      for (const { alias } of await listAliasRows(unit, [row.model_key]))
        await moveAlias({ approvals }, unit, row, alias, undefined, 'removed');
      for (const { version } of await listVersionRows(unit, row.model_key)) {
        await rejectOpen(unit, project, model, version, 'the model was deleted');
        await updateVersion(unit, row.model_key, version, { deleted_ms: unit.nowMs });
        await artifacts.release(unit, { project, owner: formatReference('model', model, version) });
      }
      await deleteModelTags(unit, row.model_key);
      await updateModel(unit, row.model_key, { deleted_ms: unit.nowMs });
    },

    async setModelTag(unit, { project, model, key, value }) {
      requireTag({ key, value });
      const row = await getModelRow(unit, project, model);
      await setModelTag(unit, row.model_key, { key, value });
      await updateModel(unit, row.model_key, { updated_ms: unit.nowMs });
      await tellOfTag(unit, row, 'model.tag.set', key);
    },

    async deleteModelTag(unit, { project, model, key }) {
      const row = await getModelRow(unit, project, model);
      // asked before: the tag that goes may be the one that makes it a prompt
      const fact = await promptFact(unit, row.model_key);
      if (!(await deleteModelTags(unit, row.model_key, key))) return;
      await updateModel(unit, row.model_key, { updated_ms: unit.nowMs });
      await tellOfTag(unit, row, 'model.tag.deleted', key, fact);
    },

    async setAlias(unit, { project, model, alias, version }) {
      const row = await getModelRow(unit, project, model);
      if (!isAlias(alias)) throw registryErrors.MODEL_ALIAS_INVALID(alias);
      const known = await listVersionRows(unit, row.model_key);
      if (!known.some((candidate) => candidate.version === version))
        throw registryErrors.MODEL_VERSION_NOT_FOUND(model, String(version));
      await moveAlias({ approvals }, unit, row, alias, version, 'set');
    },

    async deleteAlias(unit, { project, model, alias }) {
      await moveAlias({ approvals }, unit, await getModelRow(unit, project, model), alias, undefined, 'removed');
    },
  };
}
