import { formatReference, parseReference } from '#contracts/references';
import type { ModelRecord, VersionRecord } from '#contracts/transfer';
import type { Reader, Unit } from '#platform/database';
import { isAlias, moveAlias } from './alias-service.ts';
import { findAliasRow } from './alias-store.ts';
import { ensureModel, requireTag } from './model-service.ts';
import { findModelRow, setModelTag, updateModel } from './model-store.ts';
import { isAliasGoverned } from './promotion-store.ts';
import { isPrompt, promptFact } from './prompt-rule.ts';
import type { RegistryDeps } from './registry-deps.ts';
import { registryErrors } from './registry-errors.ts';
import type { ModelRow } from './registry-tables.ts';
import { insertVersion, listTakenVersions, setVersionTag, updateVersion } from './version-store.ts';

interface ImportedModel {
  readonly made: number;
  readonly known: number;
  /** What differs here already and was left as it is, each in words. */
  readonly left: string[];
}

export interface ImportService {
  /**
   * Brings a model in with versions under their numbers and times. A version that is there already gets the stage, words
   * and tags of the source; what was decided here (another version of that number, an alias elsewhere) stays.
   */
  importModel(unit: Unit, project: string, given: ModelRecord): Promise<ImportedModel>;
}

const isPromptHere = async (reader: Reader, { model_key }: ModelRow): Promise<boolean> =>
  (await promptFact(reader, model_key)).prompt === true;

export function createImportService(deps: RegistryDeps): ImportService {
  const { ids, artifacts, lineage } = deps;

  async function importVersion(unit: Unit, model: ModelRow, given: VersionRecord): Promise<void> {
    const { project, name, model_key } = model;
    await insertVersion(
      unit,
      {
        model_key,
        version: given.version,
        digest: null,
        runtime: null,
        signature: null,
        predicts: null,
        train_ref: null,
        test_ref: null,
        run_ref: null,
        tracking_run_id: given.trackingRunId ?? null,
        logged_model_id: given.loggedModelId ?? null,
        source: given.source,
        storage_location: given.storageLocation,
        run_link: given.runLink,
        description: given.description,
        stage: given.stage,
        created_by: given.user || unit.context.actor,
        created_ms: given.createdMs,
        updated_ms: given.updatedMs,
        deleted_ms: null,
      },
      given.files,
    );
    const reference = formatReference('model', name, given.version);
    for (const { path, sha256, sizeBytes } of given.files)
      await artifacts.retain(unit, { project, sha256, sizeBytes, owner: reference, name: path });
    const { trackingRunId, loggedModelId } = given;
    await lineage.record(unit, project, [
      ...(trackingRunId === undefined
        ? []
        : [{ from: formatReference('tracking-run', trackingRunId), to: reference, kind: 'produced' }]),
      ...(loggedModelId === undefined
        ? []
        : [{ from: formatReference('logged-model', loggedModelId), to: reference, kind: 'registered' }]),
    ]);
  }

  async function importAliases(unit: Unit, row: ModelRow, given: ModelRecord): Promise<string[]> {
    const left: string[] = [];
    const taken = await listTakenVersions(
      unit,
      row.model_key,
      given.aliases.map(({ version }) => version),
    );
    for (const { alias, version } of given.aliases) {
      const before = await findAliasRow(unit, row.model_key, alias);
      if (before?.version === version) continue;
      if (before !== undefined)
        left.push(`alias "${alias}" of model "${row.name}" names version ${before.version} here, ${version} there`);
      else if (!isAlias(alias) || taken.get(version)?.deleted_ms !== null)
        left.push(`alias "${alias}" of model "${row.name}" cannot name version ${version} here`);
      else if (await isAliasGoverned(unit, row.model_key, alias))
        left.push(`alias "${alias}" of model "${row.name}" is moved by promotions here`);
      else await moveAlias(deps, unit, row, alias, version, 'set');
    }
    return left;
  }

  return {
    async importModel(unit, project, given) {
      given.tags.forEach(requireTag);
      const digests = [...new Set(given.versions.flatMap(({ files }) => files.map(({ sha256 }) => sha256)))];
      const [missing] = await artifacts.missing(unit, project, digests);
      if (missing !== undefined) throw registryErrors.MODEL_BYTES_MISSING(missing);

      const before = await findModelRow(unit, project, given.name);
      if (before?.deleted_ms === null && isPrompt(given.tags) !== (await isPromptHere(unit, before)))
        return { made: 0, known: 0, left: [`"${given.name}" is a ${isPrompt(given.tags) ? 'model' : 'prompt'} here`] };
      const row = await ensureModel(unit, ids, { project, model: given.name }, given.tags);
      const known = await listTakenVersions(
        unit,
        row.model_key,
        given.versions.map(({ version }) => version),
      );
      const left: string[] = [];
      let made = 0;
      for (const version of given.versions) {
        const there = known.get(version.version);
        const name = `version ${version.version} of model "${given.name}"`;
        if (there === undefined) {
          await importVersion(unit, row, version);
          made += 1;
        } else if (there.deleted_ms !== null) {
          left.push(`${name} was deleted here`);
          continue;
        } else if (there.created_ms !== version.createdMs) {
          left.push(`${name} is another one here, from ${there.source || 'a pipeline'}`);
          continue;
        } else
          await updateVersion(unit, row.model_key, version.version, {
            stage: version.stage,
            description: version.description,
            updated_ms: version.updatedMs,
          });
        for (const tag of version.tags) await setVersionTag(unit, row.model_key, version.version, tag);
      }
      for (const tag of given.tags) await setModelTag(unit, row.model_key, tag);
      const highest = Math.max(row.last_version, ...given.versions.map(({ version }) => version));
      const isNew = before === undefined || before.deleted_ms !== null;
      await updateModel(unit, row.model_key, {
        last_version: highest,
        ...(isNew && { created_ms: given.createdMs }),
        ...((isNew || given.updatedMs >= row.updated_ms) && {
          description: given.description,
          updated_ms: given.updatedMs,
        }),
      });
      left.push(...(await importAliases(unit, row, given)));
      const subject = formatReference('model', given.name);
      if (made > 0)
        await unit.emit({
          type: 'registry.model.imported',
          project,
          // a foreign name may be one that no reference can carry
          subject: parseReference(subject) === undefined ? formatReference('project', project) : subject,
          data: { model: given.name, versions: made },
        });
      return { made, known: given.versions.length - made, left };
    },
  };
}
