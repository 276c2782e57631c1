import type { Unit } from '#platform/database';
import type { BatchOrdering } from './batch-ordering.ts';
import { deleteKeyValue, keyValueTables, listKeyValues, putKeyValues } from './key-value-store.ts';
import { insertModelMetrics, knownLoggedModels } from './logged-model-store.ts';
import { insertMetrics } from './metric-store.ts';
import { putRunInputs } from './run-inputs.ts';
import { unlistRun } from './run-listing-store.ts';
import { parentRunTag, runNameTag, toParentEdge } from './run-service.ts';
import { findRunLifecycle, isOpenRun, updateRun } from './run-store.ts';
import type { TrackingDeps } from './tracking-deps.ts';
import { trackingErrors } from './tracking-errors.ts';
import { requireMetric, toParam, toRunTag } from './tracking-limits.ts';
import type { DatasetInput, ModelOutput, NewMetric, Tag } from './tracking-types.ts';

interface RunName {
  readonly project: string;
  readonly runId: string;
}

export interface LoggingService {
  /** Metrics, params and tags of one run, all or none. Exact duplicates of points are kept once; params do not change. */
  log(
    unit: Unit,
    input: RunName & {
      readonly metrics?: readonly NewMetric[];
      readonly params?: readonly Tag[];
      readonly tags?: readonly Tag[];
    },
  ): Promise<void>;
  /** What clients before 3.0 note of a model that they logged: their tag holds the list of all, however long. */
  noteModel(unit: Unit, input: RunName & { readonly model: object }): Promise<void>;
  deleteRunTag(unit: Unit, input: RunName & { readonly key: string }): Promise<void>;
  logInputs(
    unit: Unit,
    input: RunName & { readonly datasets?: readonly DatasetInput[]; readonly models?: readonly ModelOutput[] },
  ): Promise<void>;
  logOutputs(unit: Unit, input: RunName & { readonly models: readonly ModelOutput[] }): Promise<void>;
}

const notedModelsTag = 'mlflow.log-model.history';

/** A list that clients may have written themselves; what is none counts as empty. */
function parseList(text = '[]'): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

type Touched = (runId: string, listed?: boolean) => void;

/** The run that is to be written to: takes it out of the lists. */
async function takeRun(
  unit: Unit,
  { project, runId }: RunName,
  touched: Touched,
): Promise<{ readonly experimentKey: number }> {
  const row = await findRunLifecycle(unit, project, runId);
  if (row === undefined) throw trackingErrors.TRACKING_RUN_NOT_FOUND(runId);
  if (row.lifecycle !== 'active') throw trackingErrors.TRACKING_RUN_INACTIVE(runId);
  const listed = row.listing === 'listed';
  touched(runId, listed);
  if (listed) await unlistRun(unit, runId);
  return { experimentKey: row.experiment_key };
}

async function logParams(unit: Unit, runId: string, params: readonly Tag[]): Promise<void> {
  const given = new Map<string, string>();
  for (const { key, value } of params) {
    if (given.has(key))
      throw trackingErrors.TRACKING_VALUE_INVALID(
        `Duplicate parameter keys have been submitted: ['${key}']. Please ensure the request contains only one param value per param key.`,
      );
    given.set(key, value);
  }
  await putKeyValues(unit, keyValueTables.runParams, runId, params, { keep: true });
  for (const { key, value } of (await listKeyValues(unit, keyValueTables.runParams, [runId])).get(runId) ?? []) {
    const wanted = given.get(key);
    if (wanted !== undefined && wanted !== value) throw trackingErrors.PARAM_CHANGED(runId, key, value, wanted);
  }
}

/** What errors call one of a list: nothing but its fields when it came alone. */
const nameOf = (list: string, items: readonly unknown[], index: number) =>
  items.length === 1 ? '' : `${list}[${index}]`;

async function logModelMetrics(unit: Unit, { project, runId }: RunName, metrics: readonly NewMetric[]): Promise<void> {
  const modelIds = [...new Set(metrics.map(({ modelId = '' }) => modelId))];
  const known = await knownLoggedModels(unit, project, modelIds);
  const unknown = modelIds.find((modelId) => !known.has(modelId));
  if (unknown !== undefined) throw trackingErrors.LOGGED_MODEL_NOT_FOUND(unknown);
  await insertModelMetrics(unit, runId, metrics);
}

/** Answers the parent that the tags name, if any. */
function logTags(unit: Unit, runId: string, tags: readonly Tag[]): string | undefined {
  unit.withCommit(putKeyValues(unit, keyValueTables.runTags, runId, tags));
  const name = tags.findLast(({ key }) => key === runNameTag)?.value;
  const parent = tags.findLast(({ key }) => key === parentRunTag)?.value;
  if (name !== undefined || parent !== undefined)
    unit.withCommit(
      updateRun(unit, runId, {
        ...(name !== undefined && { name }),
        ...(parent !== undefined && { parent_run_id: parent }),
      }),
    );
  return parent;
}

export function createLoggingService({
  ids,
  lineage,
  touched,
  ordering,
}: TrackingDeps & { readonly touched: Touched; readonly ordering: BatchOrdering }): LoggingService {
  function logMetrics(unit: Unit, runId: string, metrics: readonly NewMetric[]): void {
    const { written, waiting } = insertMetrics(unit, runId, metrics);
    unit.withCommit(written);
    ordering.handedIn(unit, runId, waiting);
  }

  return {
    async log(unit, input) {
      const { runId, metrics = [] } = input;
      metrics.forEach((metric, index) => requireMetric(metric, nameOf('metrics', metrics, index)));
      const params = (input.params ?? []).map((param, index, all) => toParam(param, nameOf('params', all, index)));
      const tags = (input.tags ?? []).map((tag, index, all) => toRunTag(tag, nameOf('tags', all, index)));
      unit.afterCommit(() => touched(runId));
      await unit.assume(isOpenRun({ project: input.project, runId }), async () => {
        await takeRun(unit, input, touched);
      });
      if (params.length > 0) await logParams(unit, runId, params);
      if (metrics.length > 0) logMetrics(unit, runId, metrics);
      const ofModels = metrics.filter((metric) => metric.modelId);
      if (ofModels.length > 0) await logModelMetrics(unit, input, ofModels);
      const parent = tags.length > 0 ? logTags(unit, runId, tags) : undefined;
      if (parent !== undefined) unit.withCommit(lineage.record(unit, input.project, toParentEdge(runId, parent)));
    },

    async noteModel(unit, input) {
      await takeRun(unit, input, touched);
      const { runId, model } = input;
      const tags = (await listKeyValues(unit, keyValueTables.runTags, [runId])).get(runId) ?? [];
      const noted = parseList(tags.find(({ key }) => key === notedModelsTag)?.value);
      const value = JSON.stringify([...noted, model]);
      await putKeyValues(unit, keyValueTables.runTags, runId, [{ key: notedModelsTag, value }]);
    },

    async deleteRunTag(unit, input) {
      await takeRun(unit, input, touched);
      if (!(await deleteKeyValue(unit, keyValueTables.runTags, input.runId, input.key)))
        throw trackingErrors.TAG_NOT_FOUND(input.key, `run with id ${input.runId}`);
    },

    async logInputs(unit, input) {
      const { project, runId, datasets = [], models = [] } = input;
      const { experimentKey } = await takeRun(unit, input, touched);
      const run = { runId, experimentKey };
      await lineage.record(unit, project, await putRunInputs(unit, ids, run, { datasets, models, outputs: [] }));
    },

    async logOutputs(unit, input) {
      const { project, runId, models } = input;
      const { experimentKey } = await takeRun(unit, input, touched);
      const run = { runId, experimentKey };
      await lineage.record(
        unit,
        project,
        await putRunInputs(unit, ids, run, { datasets: [], models: [], outputs: models }),
      );
    },
  };
}
