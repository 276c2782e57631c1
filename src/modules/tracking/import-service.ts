import { formatReference } from '#contracts/references';
import type {
  ExperimentRecord,
  FileRecord,
  HistoryRecord,
  ImportMark,
  LoggedModelRecord,
  RunRecord,
} from '#contracts/transfer';
import type { Unit } from '#platform/database';
import type { ArtifactService } from './artifact-service.ts';
import { defaultExperimentName, findAnyExperimentRow, takeExperimentRow, toLocation } from './experiment-service.ts';
import {
  findExperimentRow,
  findExperimentRowByName,
  insertExperiment,
  nextExperimentNumbers,
  updateExperiment,
} from './experiment-store.ts';
import { findBeingPurged, listModelsAnywhere, listRunsAnywhere, putMarks } from './import-store.ts';
import { keyValueTables, putKeyValues, putKeyValuesOf } from './key-value-store.ts';
import { insertLoggedModel, insertModelMetrics, updateLoggedModel } from './logged-model-store.ts';
import { insertHistories } from './metric-store.ts';
import { putRunInputs } from './run-inputs.ts';
import { unlistRun } from './run-listing-store.ts';
import { parentRunTag, runNameTag, toParentEdge } from './run-service.ts';
import { findRunLifecycle, insertRuns, updateRun } from './run-store.ts';
import type { TrackingDeps } from './tracking-deps.ts';
import { trackingErrors } from './tracking-errors.ts';
import type { ExperimentRow, RunRow } from './tracking-tables.ts';
import type { Tag } from './tracking-types.ts';

/** A larger number stays the source's own: the next experiment of the project would count on from there. */
const largestKeptId = 2 ** 31 - 1;

const toPoints = ({ key, atMs, steps, values }: HistoryRecord) =>
  values.map((value, index) => ({
    key,
    timestampMs: atMs[index] ?? 0,
    step: steps[index] ?? 0,
    value: Number(value),
  }));

/**
 * Brings in what another store has tracked, as it is there: ids, times, users and lifecycle. Every call may come again.
 * No event of a run's start or end is written, since none starts or ends here now.
 */
export interface ImportService {
  importExperiments(
    unit: Unit,
    project: string,
    experiments: readonly ExperimentRecord[],
  ): Promise<{ givenId: string; id: string; made: boolean }[]>;
  importRuns(unit: Unit, project: string, runs: readonly RunRecord[]): Promise<{ made: number; known: number }>;
  importHistories(unit: Unit, project: string, histories: readonly HistoryRecord[]): Promise<number>;
  importLoggedModels(
    unit: Unit,
    project: string,
    models: readonly LoggedModelRecord[],
  ): Promise<{ made: number; known: number }>;
  importFiles(unit: Unit, project: string, files: readonly FileRecord[]): Promise<void>;
  markImported(unit: Unit, project: string, marks: readonly ImportMark[]): Promise<void>;
}

async function makeExperiment(unit: Unit, project: string, given: ExperimentRecord): Promise<ExperimentRow> {
  await takeExperimentRow(unit, project, '0');
  const numbers = await nextExperimentNumbers(unit, project);
  const wanted = /^\d{1,10}$/.test(given.id) ? Number(given.id) : Number.POSITIVE_INFINITY;
  const free = wanted <= largestKeptId && (await findExperimentRow(unit, project, wanted)) === undefined;
  const id = free ? wanted : numbers.id;
  const row: ExperimentRow = {
    experiment_key: numbers.key,
    project,
    experiment_id: id,
    name: given.name,
    artifact_location: given.keptAt ?? toLocation(id),
    lifecycle: given.lifecycle,
    created_ms: given.createdMs,
    updated_ms: given.updatedMs,
  };
  await insertExperiment(unit, row);
  return row;
}

/** The experiments that records name, by their ids here. */
async function experimentsOf(
  unit: Unit,
  project: string,
  records: readonly { readonly experimentId: string }[],
): Promise<(id: string) => ExperimentRow> {
  const rows = new Map<string, ExperimentRow>();
  for (const id of new Set(records.map(({ experimentId }) => experimentId))) {
    const row = await findAnyExperimentRow(unit, project, id);
    if (row === undefined) throw trackingErrors.EXPERIMENT_NOT_FOUND(id);
    rows.set(id, row.experiment_key === 0 ? await takeExperimentRow(unit, project, id) : row);
  }
  return (id) => {
    const row = rows.get(id);
    if (row === undefined) throw trackingErrors.EXPERIMENT_NOT_FOUND(id);
    return row;
  };
}

/** Each is named once, and none is what a purge is taking away: what came in would go with the rest of it. */
async function requireImportable(
  unit: Unit,
  kind: 'tracking-run' | 'logged-model',
  records: readonly { readonly id: string }[],
): Promise<void> {
  const ids = records.map(({ id }) => id);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) throw trackingErrors.TRACKING_VALUE_INVALID(`"${twice}" is named twice in one request`);
  const going = await findBeingPurged(unit, kind, ids);
  if (going !== undefined) throw trackingErrors.IMPORT_BEING_PURGED(going);
}

function toRunRow(unit: Unit, project: string, experiment: ExperimentRow, run: RunRecord): RunRow {
  return {
    run_id: run.id,
    project,
    experiment_key: experiment.experiment_key,
    name: run.name,
    status: run.status,
    user_id: run.user,
    start_ms: run.startMs,
    end_ms: run.endMs ?? null,
    lifecycle: run.lifecycle,
    deleted_ms: run.lifecycle === 'deleted' ? (run.deletedMs ?? unit.nowMs) : null,
    artifact_uri: run.keptAt ?? `${toLocation(experiment.experiment_id)}/${run.id}/artifacts`,
    parent_run_id: run.tags.find(({ key }) => key === parentRunTag)?.value ?? null,
    created_by: unit.context.actor,
  };
}

async function importExperiment(unit: Unit, project: string, given: ExperimentRecord): Promise<ExperimentRow> {
  const { name, tags } = given;
  if (name === defaultExperimentName) await takeExperimentRow(unit, project, '0');
  const known = await findExperimentRowByName(unit, project, name);
  const row = known ?? (await makeExperiment(unit, project, given));
  if (tags.length > 0) await putKeyValues(unit, keyValueTables.experimentTags, row.experiment_key, tags);
  if (known !== undefined && known.lifecycle !== given.lifecycle && known.updated_ms <= given.updatedMs)
    await updateExperiment(unit, row.experiment_key, { lifecycle: given.lifecycle, updated_ms: given.updatedMs });
  return row;
}

export function createImportService(
  { ids, lineage, artifacts }: TrackingDeps,
  files: Pick<ArtifactService, 'putArtifact'>,
): ImportService {
  async function importInputs(unit: Unit, project: string, row: RunRow, run: RunRecord): Promise<void> {
    const edges = await putRunInputs(
      unit,
      ids,
      { runId: run.id, experimentKey: row.experiment_key },
      {
        datasets: run.datasets,
        models: run.modelInputs.map((modelId) => ({ modelId, step: 0 })),
        outputs: run.modelOutputs,
      },
    );
    await lineage.record(unit, project, [...toParentEdge(row.run_id, row.parent_run_id), ...edges]);
  }

  return {
    async importExperiments(unit, project, experiments) {
      const items = [];
      for (const given of experiments) {
        const before = await findExperimentRowByName(unit, project, given.name);
        const row = await importExperiment(unit, project, given);
        items.push({ givenId: given.id, id: String(row.experiment_id), made: before === undefined });
      }
      await emitImported(unit, project, 'experiments', items.length);
      return items;
    },

    async importRuns(unit, project, runs) {
      await requireImportable(unit, 'tracking-run', runs);
      const experiment = await experimentsOf(unit, project, runs);
      const known = new Map(
        (
          await listRunsAnywhere(
            unit,
            runs.map(({ id }) => id),
          )
        ).map((row) => [row.run_id, row]),
      );
      const rows = runs.map((run) => toRunRow(unit, project, experiment(run.experimentId), run));
      for (const row of rows) {
        const before = known.get(row.run_id);
        if (before !== undefined && before.project !== project) throw trackingErrors.IMPORT_ELSEWHERE(row.run_id);
        if (before !== undefined) {
          await unlistRun(unit, row.run_id);
          const { name, status, end_ms, lifecycle, deleted_ms, parent_run_id } = row;
          await updateRun(unit, row.run_id, { name, status, end_ms, lifecycle, deleted_ms, parent_run_id });
        }
      }
      const made = rows.filter(({ run_id }) => !known.has(run_id));
      await insertRuns(unit, made);
      await putAll(unit, keyValueTables.runParams, runs, ({ params }) => params);
      await putAll(unit, keyValueTables.runTags, runs, ({ name, tags }) => [{ key: runNameTag, value: name }, ...tags]);
      for (const [index, row] of rows.entries()) {
        const run = runs[index];
        if (run !== undefined) await importInputs(unit, project, row, run);
      }
      await emitImported(unit, project, 'runs', runs.length);
      return { made: made.length, known: runs.length - made.length };
    },

    async importHistories(unit, project, histories) {
      const wanted = [...new Set(histories.map(({ runId }) => runId))];
      for (const runId of wanted) {
        const run = await findRunLifecycle(unit, project, runId);
        if (run === undefined) throw trackingErrors.TRACKING_RUN_NOT_FOUND(runId);
        if (run.listing === 'listed') await unlistRun(unit, runId);
      }
      const uneven = histories.find(
        ({ atMs, steps, values }) => atMs.length !== values.length || steps.length !== values.length,
      );
      if (uneven !== undefined)
        throw trackingErrors.TRACKING_VALUE_INVALID(
          `the columns of metric "${uneven.key}" of run ${uneven.runId} differ in length: each point has an instant, a step and a value`,
        );
      await insertHistories(
        unit,
        histories.map((history) => ({ runId: history.runId, key: history.key, points: toPoints(history) })),
      );
      // a run may have been listed for searches between its record and its points: it is again when this is done
      await emitImported(unit, project, 'histories', histories.length);
      return histories.reduce((sum, { values }) => sum + values.length, 0);
    },

    async importLoggedModels(unit, project, models) {
      await requireImportable(unit, 'logged-model', models);
      const experiment = await experimentsOf(unit, project, models);
      const known = new Map(
        (
          await listModelsAnywhere(
            unit,
            models.map(({ id }) => id),
          )
        ).map((row) => [row.model_id, row.project]),
      );
      for (const model of models) {
        const before = known.get(model.id);
        if (before !== undefined && before !== project) throw trackingErrors.IMPORT_ELSEWHERE(model.id);
        const changing = {
          status: model.status,
          status_message: model.statusMessage,
          updated_ms: model.updatedMs,
          deleted_ms: model.deletedMs ?? null,
        };
        const { experiment_id, experiment_key } = experiment(model.experimentId);
        if (before !== undefined) await updateLoggedModel(unit, model.id, changing);
        else
          await insertLoggedModel(unit, {
            model_id: model.id,
            project,
            experiment_key,
            name: model.name,
            model_type: model.type,
            source_run_id: model.sourceRunId ?? null,
            artifact_uri: model.keptAt ?? `${toLocation(experiment_id)}/models/${model.id}/artifacts`,
            created_ms: model.createdMs,
            ...changing,
          });
        for (const runId of new Set(model.metrics.map((metric) => metric.runId)))
          await insertModelMetrics(
            unit,
            runId,
            model.metrics
              .filter((metric) => metric.runId === runId)
              .map(({ atMs, value, ...metric }) => ({
                ...metric,
                timestampMs: atMs,
                value: Number(value),
                modelId: model.id,
              })),
          );
      }
      await putAll(unit, keyValueTables.modelParams, models, ({ params }) => params);
      await putAll(unit, keyValueTables.modelTags, models, ({ tags }) => tags);
      await lineage.record(
        unit,
        project,
        models.flatMap(({ id, sourceRunId }) =>
          sourceRunId === undefined
            ? []
            : [
                {
                  from: formatReference('tracking-run', sourceRunId),
                  to: formatReference('logged-model', id),
                  kind: 'produced',
                },
              ],
        ),
      );
      await emitImported(unit, project, 'models', models.length);
      return { made: models.length - known.size, known: known.size };
    },

    async importFiles(unit, project, given) {
      const digests = [...new Set(given.map(({ sha256 }) => sha256))];
      const [missing] = await artifacts.missing(unit, project, digests);
      if (missing !== undefined) throw trackingErrors.IMPORT_BYTES_MISSING(missing);
      for (const file of given) await files.putArtifact(unit, { project, ...file });
    },

    async markImported(unit, project, marks) {
      await putMarks(
        unit,
        marks.map(({ id, print, points, fileBytes, filesDigest, ...mark }) => ({
          project,
          id,
          print,
          points,
          files: mark.files,
          file_bytes: fileBytes,
          files_digest: filesDigest,
          marked_ms: unit.nowMs,
        })),
      );
    },
  };
}

async function putAll<R extends { readonly id: string }>(
  unit: Unit,
  table: Parameters<typeof putKeyValuesOf>[1],
  records: readonly R[],
  pairsOf: (record: R) => readonly Tag[],
): Promise<void> {
  const owners = records.map((record) => ({ id: record.id, pairs: pairsOf(record) }));
  if (owners.some(({ pairs }) => pairs.length > 0)) await putKeyValuesOf(unit, table, owners);
}

async function emitImported(
  unit: Unit,
  project: string,
  what: 'experiments' | 'runs' | 'histories' | 'models',
  count: number,
): Promise<void> {
  if (count > 0)
    await unit.emit({ type: 'tracking.imported', project, subject: `project:${project}`, data: { what, count } });
}
