import { formatReference } from '#contracts/references';
import type { Unit } from '#platform/database';
import { moveAlias } from './alias-service.ts';
import { listAliasRows } from './alias-store.ts';
import { getModelRow, requireTag } from './model-service.ts';
import { updateModel } from './model-store.ts';
import { promptFact } from './prompt-rule.ts';
import type { RegistryDeps } from './registry-deps.ts';
import { registryErrors } from './registry-errors.ts';
import type { ModelRow, Stage, VersionRow } from './registry-tables.ts';
import type { Tag, VersionFile } from './registry-types.ts';
import {
  archiveStage,
  deleteVersionTag,
  findVersionRow,
  insertVersion,
  setVersionTag,
  updateVersion,
} from './version-store.ts';

const stages: readonly Stage[] = ['None', 'Staging', 'Production', 'Archived'];

/** The stage of that name, whatever its case. */
export function parseStage(text: string): Stage {
  const stage = stages.find((known) => known.toLowerCase() === text.toLowerCase());
  if (stage === undefined) throw registryErrors.MODEL_STAGE_INVALID(text);
  return stage;
}

interface VersionName {
  readonly project: string;
  readonly model: string;
  readonly version: number;
}

export interface VersionService {
  /** Registers a version by its source, without a gate: every call makes a new version. */
  createVersion(
    unit: Unit,
    input: {
      readonly project: string;
      readonly model: string;
      readonly source: string;
      readonly storageLocation: string;
      readonly files?: readonly VersionFile[];
      readonly trackingRunId?: string | undefined;
      readonly loggedModelId?: string | undefined;
      /** The version whose files it takes over. */
      readonly copiedFrom?: { readonly model: string; readonly version: number } | undefined;
      readonly runLink?: string | undefined;
      readonly description?: string | undefined;
      readonly tags?: readonly Tag[];
    },
  ): Promise<number>;
  describeVersion(unit: Unit, input: VersionName & { readonly description: string }): Promise<void>;
  deleteVersion(unit: Unit, input: VersionName): Promise<void>;
  setVersionTag(unit: Unit, input: VersionName & Tag): Promise<void>;
  deleteVersionTag(unit: Unit, input: VersionName & { readonly key: string }): Promise<void>;
  transitionStage(
    unit: Unit,
    input: VersionName & { readonly stage: string; readonly archiveExisting: boolean },
  ): Promise<void>;
}

async function getRows(unit: Unit, { project, model, version }: VersionName): Promise<[ModelRow, VersionRow]> {
  const row = await getModelRow(unit, project, model);
  const found = await findVersionRow(unit, row.model_key, version);
  if (found === undefined) throw registryErrors.MODEL_VERSION_NOT_FOUND(model, String(version));
  return [row, found];
}

/** Says that a version is there, however it came. */
export async function tellOfVersion(unit: Unit, model: ModelRow, version: number): Promise<void> {
  const { model_key, name, project } = model;
  await unit.emit({
    type: 'model.version.created',
    project,
    subject: formatReference('model', name, version),
    data: { model: name, version, ...(await promptFact(unit, model_key)) },
  });
}

async function tellOfTag(
  unit: Unit,
  { model_key, name, project }: ModelRow,
  version: number,
  type: 'model.version.tag.set' | 'model.version.tag.deleted',
  key: string,
): Promise<void> {
  const data = { model: name, version, key, ...(await promptFact(unit, model_key)) };
  await unit.emit({ type, project, subject: formatReference('model', name, version), data });
}

export function createVersionService(
  { approvals, artifacts, lineage }: RegistryDeps,
  rejectOpen: (unit: Unit, project: string, model: string, version: number, reason: string) => Promise<void>,
): VersionService {
  return {
    async createVersion(unit, input) {
      const { project, model, source, storageLocation, files = [], tags = [] } = input;
      tags.forEach(requireTag);
      const row = await getModelRow(unit, project, model);
      const version = row.last_version + 1;
      await insertVersion(
        unit,
        {
          model_key: row.model_key,
          version,
          digest: null,
          runtime: null,
          signature: null,
          predicts: null,
          train_ref: null,
          test_ref: null,
          run_ref: null,
          tracking_run_id: input.trackingRunId ?? null,
          logged_model_id: input.loggedModelId ?? null,
          source,
          storage_location: storageLocation,
          run_link: input.runLink ?? '',
          description: input.description ?? '',
          stage: 'None',
          created_by: unit.context.actor,
          created_ms: unit.nowMs,
          updated_ms: unit.nowMs,
          deleted_ms: null,
        },
        files,
      );
      await updateModel(unit, row.model_key, { last_version: version, updated_ms: unit.nowMs });
      for (const tag of tags) await setVersionTag(unit, row.model_key, version, tag);
      const reference = formatReference('model', model, version);
      for (const { path, sha256, sizeBytes } of files)
        await artifacts.retain(unit, { project, sha256, sizeBytes, owner: reference, name: path });
      await lineage.record(unit, project, [
        ...(input.trackingRunId === undefined
          ? []
          : [{ from: formatReference('tracking-run', input.trackingRunId), to: reference, kind: 'produced' }]),
        ...(input.loggedModelId === undefined
          ? []
          : [{ from: formatReference('logged-model', input.loggedModelId), to: reference, kind: 'registered' }]),
        ...(input.copiedFrom === undefined
          ? []
          : [
              {
                from: formatReference('model', input.copiedFrom.model, input.copiedFrom.version),
                to: reference,
                kind: 'copied',
              },
            ]),
      ]);
      await tellOfVersion(unit, row, version);
      return version;
    },

    async describeVersion(unit, input) {
      const [row] = await getRows(unit, input);
      await updateVersion(unit, row.model_key, input.version, {
        description: input.description,
        updated_ms: unit.nowMs,
      });
    },

    async deleteVersion(unit, input) {
      const [row] = await getRows(unit, input);
      const { project, model, version } = input;
      for (const alias of await listAliasRows(unit, [row.model_key]))
        if (alias.version === version) await moveAlias({ approvals }, unit, row, alias.alias, undefined, 'removed');
      await rejectOpen(unit, project, model, version, 'the version was deleted');
      await updateVersion(unit, row.model_key, version, { deleted_ms: unit.nowMs, updated_ms: unit.nowMs });
      await updateModel(unit, row.model_key, { updated_ms: unit.nowMs });
      await artifacts.release(unit, { project, owner: formatReference('model', model, version) });
    },

    async setVersionTag(unit, input) {
      requireTag(input);
      const [row] = await getRows(unit, input);
      await setVersionTag(unit, row.model_key, input.version, { key: input.key, value: input.value });
      await tellOfTag(unit, row, input.version, 'model.version.tag.set', input.key);
    },

    async deleteVersionTag(unit, input) {
      const [row] = await getRows(unit, input);
      if (await deleteVersionTag(unit, row.model_key, input.version, input.key))
        await tellOfTag(unit, row, input.version, 'model.version.tag.deleted', input.key);
    },

    async transitionStage(unit, input) {
      const stage = parseStage(input.stage);
      const [row] = await getRows(unit, input);
      if (input.archiveExisting) {
        if (stage !== 'Staging' && stage !== 'Production')
          throw registryErrors.MODEL_STAGE_INVALID(`${stage} (archive_existing_versions needs Staging or Production)`);
        await archiveStage(unit, row.model_key, stage, input.version);
      }
      await updateVersion(unit, row.model_key, input.version, { stage, updated_ms: unit.nowMs });
      await updateModel(unit, row.model_key, { updated_ms: unit.nowMs });
    },
  };
}
