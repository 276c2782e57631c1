import { formatReference } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import { requireActive, takeExperimentRow } from './experiment-service.ts';
import { deleteKeyValue, keyValueTables, listKeyValues, putKeyValues } from './key-value-store.ts';
import {
  findLoggedModelRow,
  insertLoggedModel,
  knownLoggedModels,
  type LoggedModelWithExperiment,
  toLoggedModels,
  updateLoggedModel,
} from './logged-model-store.ts';
import { runNameFor } from './run-names.ts';
import { findRunLifecycle } from './run-store.ts';
import type { TrackingDeps } from './tracking-deps.ts';
import { trackingErrors } from './tracking-errors.ts';
import { anyKey, toParam, toRunTag } from './tracking-limits.ts';
import type { LoggedModel, LoggedModelStatus, Tag } from './tracking-types.ts';

interface ModelName {
  readonly project: string;
  readonly modelId: string;
}

export interface LoggedModelService {
  createLoggedModel(
    unit: Unit,
    input: {
      readonly project: string;
      readonly experimentId: string;
      readonly name?: string | undefined;
      readonly modelType?: string | undefined;
      readonly sourceRunId?: string | undefined;
      readonly params?: readonly Tag[];
      readonly tags?: readonly Tag[];
    },
  ): Promise<LoggedModel>;
  /** Undefined when there is none, or when it was deleted. */
  loggedModel(reader: Reader, project: string, modelId: string): Promise<LoggedModel | undefined>;
  /** The same, also when it was deleted, as long as it is not being purged. */
  anyLoggedModel(reader: Reader, project: string, modelId: string): Promise<LoggedModel | undefined>;
  finalizeLoggedModel(
    unit: Unit,
    input: ModelName & { readonly status: LoggedModelStatus; readonly message?: string | undefined },
  ): Promise<LoggedModel>;
  /** Deleting what is deleted changes nothing. */
  deleteLoggedModel(unit: Unit, input: ModelName): Promise<void>;
  /** Params of a model do not change, like a run's. */
  logLoggedModelParams(unit: Unit, input: ModelName & { readonly params: readonly Tag[] }): Promise<void>;
  setLoggedModelTags(unit: Unit, input: ModelName & { readonly tags: readonly Tag[] }): Promise<void>;
  deleteLoggedModelTag(unit: Unit, input: ModelName & { readonly key: string }): Promise<void>;
}

const toParams = (params: readonly Tag[]) => params.map((param, index) => toParam(param, `params[${index}]`, anyKey));
const toTags = (tags: readonly Tag[]) => tags.map((tag, index) => toRunTag(tag, `tags[${index}]`, anyKey));

async function getRow(reader: Reader, { project, modelId }: ModelName): Promise<LoggedModelWithExperiment> {
  const row = await findLoggedModelRow(reader, project, modelId, 'active');
  if (row === undefined) throw trackingErrors.LOGGED_MODEL_NOT_FOUND(modelId);
  return row;
}

async function getModel(reader: Reader, name: ModelName): Promise<LoggedModel> {
  const [model] = await toLoggedModels(reader, [await getRow(reader, name)]);
  if (model === undefined) throw trackingErrors.LOGGED_MODEL_NOT_FOUND(name.modelId);
  return model;
}

export function createLoggedModelService({ ids, lineage }: TrackingDeps): LoggedModelService {
  return {
    async createLoggedModel(unit, input) {
      const { project, sourceRunId } = input;
      if (input.name !== undefined && /[/:.%"']/.test(input.name))
        throw trackingErrors.TRACKING_VALUE_INVALID(
          `Invalid model name ('${input.name}') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")`,
        );
      const params = toParams(input.params ?? []);
      const tags = toTags(input.tags ?? []);
      const experiment = await takeExperimentRow(unit, project, input.experimentId);
      requireActive(experiment);
      if (sourceRunId !== undefined && (await findRunLifecycle(unit, project, sourceRunId)) === undefined)
        throw trackingErrors.TRACKING_RUN_NOT_FOUND(sourceRunId);
      const hex = ids.hex32();
      const modelId = `m-${hex}`;
      await insertLoggedModel(unit, {
        model_id: modelId,
        project,
        experiment_key: experiment.experiment_key,
        name: input.name || runNameFor(hex),
        model_type: input.modelType ?? '',
        source_run_id: sourceRunId ?? null,
        artifact_uri: `${experiment.artifact_location}/models/${modelId}/artifacts`,
        status: 'LOGGED_MODEL_PENDING',
        status_message: '',
        created_ms: unit.nowMs,
        updated_ms: unit.nowMs,
        deleted_ms: null,
      });
      if (params.length > 0) await putKeyValues(unit, keyValueTables.modelParams, modelId, params);
      if (tags.length > 0) await putKeyValues(unit, keyValueTables.modelTags, modelId, tags);
      if (sourceRunId !== undefined)
        await lineage.record(unit, project, [
          {
            from: formatReference('tracking-run', sourceRunId),
            to: formatReference('logged-model', modelId),
            kind: 'produced',
          },
        ]);
      return getModel(unit, { project, modelId });
    },

    async loggedModel(reader, project, modelId) {
      const row = await findLoggedModelRow(reader, project, modelId, 'active');
      return row && (await toLoggedModels(reader, [row]))[0];
    },

    async anyLoggedModel(reader, project, modelId) {
      const row = await findLoggedModelRow(reader, project, modelId, undefined);
      return row && (await toLoggedModels(reader, [row]))[0];
    },

    async finalizeLoggedModel(unit, { project, modelId, status, message = '' }) {
      const row = await getRow(unit, { project, modelId });
      await updateLoggedModel(unit, modelId, { status, status_message: message, updated_ms: unit.nowMs });
      if (status === 'LOGGED_MODEL_READY' && row.status !== status)
        await unit.emit({
          type: 'logged-model.ready',
          project,
          subject: formatReference('logged-model', modelId),
          data: { modelId, ...(row.source_run_id !== null && { runId: row.source_run_id }) },
        });
      return getModel(unit, { project, modelId });
    },

    async deleteLoggedModel(unit, name) {
      const row = await findLoggedModelRow(unit, name.project, name.modelId, 'active');
      if (row !== undefined) await updateLoggedModel(unit, name.modelId, { deleted_ms: unit.nowMs });
      else if (!(await knownLoggedModels(unit, name.project, [name.modelId])).has(name.modelId))
        throw trackingErrors.LOGGED_MODEL_NOT_FOUND(name.modelId);
    },

    async logLoggedModelParams(unit, { params, ...name }) {
      await getRow(unit, name);
      const { modelId } = name;
      const wanted = new Map(toParams(params).map(({ key, value }) => [key, value]));
      await putKeyValues(unit, keyValueTables.modelParams, modelId, toParams(params), { keep: true });
      for (const { key, value } of (await listKeyValues(unit, keyValueTables.modelParams, [modelId])).get(modelId) ??
        []) {
        const given = wanted.get(key);
        if (given !== undefined && given !== value)
          throw trackingErrors.LOGGED_MODEL_PARAM_CHANGED(modelId, key, value, given);
      }
    },

    async setLoggedModelTags(unit, { tags, ...name }) {
      await getRow(unit, name);
      await putKeyValues(unit, keyValueTables.modelTags, name.modelId, toTags(tags));
      await updateLoggedModel(unit, name.modelId, { updated_ms: unit.nowMs });
    },

    async deleteLoggedModelTag(unit, { key, ...name }) {
      await getRow(unit, name);
      if (!(await deleteKeyValue(unit, keyValueTables.modelTags, name.modelId, key)))
        throw trackingErrors.LOGGED_MODEL_TAG_NOT_FOUND(key, name.modelId);
    },
  };
}
