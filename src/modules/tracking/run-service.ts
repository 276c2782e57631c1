import { formatReference } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import { findAnyExperimentRow, requireActive, takeExperimentRow } from './experiment-service.ts';
import { findExperimentRowByName, isActiveExperiment } from './experiment-store.ts';
import { keyValueTables, putKeyValues, putKeyValuesOf } from './key-value-store.ts';
import { orderBatches } from './metric-batch-store.ts';
import { unlistRun } from './run-listing-store.ts';
import { runNameFor } from './run-names.ts';
import {
  endRun,
  findRunLifecycle,
  findRunRow,
  insertRuns,
  listChildRows,
  type RunWithExperiment,
  rowToRunInfo,
  toRuns,
  updateRun,
} from './run-store.ts';
import type { TrackingDeps } from './tracking-deps.ts';
import { trackingErrors } from './tracking-errors.ts';
import { anyKey, toRunTag } from './tracking-limits.ts';
import { type ExperimentRow, endedStatuses, type RunRow, type RunStatus } from './tracking-tables.ts';
import type { Run, RunInfo, Tag } from './tracking-types.ts';

export const runNameTag = 'mlflow.runName';
export const parentRunTag = 'mlflow.parentRunId';

interface RunName {
  readonly project: string;
  readonly runId: string;
}

/** What runs that are made together have in common. */
interface CommonOfRuns {
  readonly project: string;
  /** One of both; neither means experiment 0. A name that is not there yet is made. */
  readonly experimentId?: string | undefined;
  readonly experimentName?: string | undefined;
  readonly parentRunId?: string | undefined;
  readonly userId?: string | undefined;
}

interface OneOfRuns {
  readonly name?: string | undefined;
  readonly startMs?: number | undefined;
  readonly tags?: readonly Tag[] | undefined;
}

type NewRun = CommonOfRuns & OneOfRuns;

export interface RunService {
  createRun(unit: Unit, input: NewRun): Promise<Run>;
  /** Several at once, in as many statements as one takes. */
  createRuns(unit: Unit, common: CommonOfRuns, runs: readonly OneOfRuns[]): Promise<readonly RunInfo[]>;
  /** The active or deleted run; undefined when there is none. */
  run(reader: Reader, project: string, runId: string): Promise<Run | undefined>;
  runInfo(reader: Reader, project: string, runId: string): Promise<RunInfo | undefined>;
  /** Runs that name it as their parent, the newest first. */
  childRuns(
    reader: Reader,
    project: string,
    runId: string,
    page: { readonly limit: number; readonly offset: number },
  ): Promise<readonly RunInfo[]>;
  /** Changes state, end and name of an active run. */
  updateRun(
    unit: Unit,
    input: RunName & {
      readonly status?: RunStatus | undefined;
      readonly endMs?: number | undefined;
      readonly name?: string | undefined;
    },
  ): Promise<RunInfo>;
  /** Ends a run; one that has ended already, or was deleted, stays as it is. */
  finishRun(unit: Unit, input: RunName & { readonly status: 'FINISHED' | 'FAILED' | 'KILLED' }): Promise<void>;
  /** Deleting what is deleted changes nothing, so that a request may be sent again; nor does restoring what is active. */
  deleteRun(unit: Unit, input: RunName): Promise<void>;
  restoreRun(unit: Unit, input: RunName): Promise<void>;
}

/** Experiments that are remembered, a few hundred bytes each. */
const mostSeen = 1000;

async function getRunRow(reader: Reader, project: string, runId: string): Promise<RunWithExperiment> {
  const row = await findRunRow(reader, project, runId);
  if (row === undefined) throw trackingErrors.TRACKING_RUN_NOT_FOUND(runId);
  return row;
}

async function getActiveRunRow(reader: Reader, project: string, runId: string): Promise<RunWithExperiment> {
  const row = await getRunRow(reader, project, runId);
  if (row.lifecycle !== 'active') throw trackingErrors.TRACKING_RUN_INACTIVE(runId);
  return row;
}

async function unlistIfListed(unit: Unit, project: string, runId: string): Promise<void> {
  const row = await findRunLifecycle(unit, project, runId);
  if (row?.listing === 'listed') await unlistRun(unit, runId);
}

/** The name comes as a field, as a tag, or as both when they agree. */
function nameOf(runId: string, input: OneOfRuns): string {
  const tag = input.tags?.findLast(({ key }) => key === runNameTag)?.value;
  if (input.name && tag !== undefined && tag !== input.name)
    throw trackingErrors.TRACKING_VALUE_INVALID(
      `Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='${input.name}', mlflow.runName='${tag}').`,
    );
  return input.name || tag || runNameFor(runId);
}

async function recordFinished(unit: Unit, row: RunWithExperiment, status: RunStatus): Promise<void> {
  if (!endedStatuses.includes(status) || endedStatuses.includes(row.status)) return;
  await recordEnd(unit, row.project, row.run_id, status);
}

async function recordEnd(unit: Unit, project: string, runId: string, status: RunStatus): Promise<void> {
  await orderBatches(unit, runId); // from now on its histories are only read
  await unit.emit({
    type: 'tracking-run.finished',
    project,
    subject: formatReference('tracking-run', runId),
    data: { runId, status },
  });
}

/** A run leads to those that it started. An empty tag names no parent. */
export function toParentEdge(runId: string, parentRunId: string | null) {
  return parentRunId === null || parentRunId === ''
    ? []
    : [
        {
          from: formatReference('tracking-run', parentRunId),
          to: formatReference('tracking-run', runId),
          kind: 'caused',
        },
      ];
}

export function createRunService({
  ids,
  lineage,
  createExperiment,
  touched,
}: TrackingDeps & {
  readonly touched: (runId: string) => void;
  readonly createExperiment: (
    unit: Unit,
    input: { readonly project: string; readonly name: string },
  ) => Promise<string>;
}): RunService {
  const seen = new Map<string, ExperimentRow>();

  async function experimentOf(unit: Unit, input: CommonOfRuns): Promise<ExperimentRow> {
    const { project, experimentId, experimentName } = input;
    if (experimentId !== undefined || experimentName === undefined)
      return takeExperimentRow(unit, project, experimentId ?? '0');
    const known = await findExperimentRowByName(unit, project, experimentName);
    if (known !== undefined) return known;
    const made = await findAnyExperimentRow(
      unit,
      project,
      await createExperiment(unit, { project, name: experimentName }),
    );
    if (made === undefined) throw trackingErrors.EXPERIMENT_NAME_NOT_FOUND(experimentName);
    return made;
  }

  /** What was seen last of the experiment counts until it turns out to have changed: they hardly ever do. */
  async function activeExperimentOf(unit: Unit, input: CommonOfRuns): Promise<ExperimentRow> {
    const name = JSON.stringify([input.project, input.experimentId, input.experimentName]);
    const look = async () => {
      seen.delete(name);
      const experiment = await experimentOf(unit, input);
      requireActive(experiment);
      if (seen.size >= mostSeen) seen.clear();
      seen.set(name, experiment);
      return experiment;
    };
    let experiment = seen.get(name);
    if (experiment === undefined) return await look();
    await unit.assume(isActiveExperiment({ ...experiment }), async () => {
      experiment = await look();
    });
    return experiment;
  }

  async function createRuns(unit: Unit, common: CommonOfRuns, wanted: readonly OneOfRuns[]): Promise<readonly Run[]> {
    const { project } = common;
    const experiment = await activeExperimentOf(unit, common);
    const made = wanted.map((input) => {
      const runId = ids.hex32();
      touched(runId);
      const name = nameOf(runId, input);
      const tags = (input.tags ?? []).map((tag, index) => toRunTag(tag, `tags[${index}]`, anyKey));
      const parentRunId = common.parentRunId ?? tags.findLast(({ key }) => key === parentRunTag)?.value;
      const row: RunRow = {
        run_id: runId,
        project,
        experiment_key: experiment.experiment_key,
        name,
        status: 'RUNNING',
        user_id: common.userId ?? '',
        start_ms: input.startMs ?? unit.nowMs,
        end_ms: null,
        lifecycle: 'active',
        deleted_ms: null,
        artifact_uri: `${experiment.artifact_location}/${runId}/artifacts`,
        parent_run_id: parentRunId ?? null,
        created_by: unit.context.actor,
      };
      const own = [
        { key: runNameTag, value: name },
        ...(parentRunId === undefined ? [] : [{ key: parentRunTag, value: parentRunId }]),
      ];
      const pairs = new Map([...tags, ...own].map(({ key, value }) => [key, value]));
      return { row, tags: [...pairs].map(([key, value]) => ({ key, value })) };
    });
    const rows = made.map(({ row }) => row);
    unit.withCommit(
      insertRuns(unit, rows),
      putKeyValuesOf(
        unit,
        keyValueTables.runTags,
        made.map(({ row, tags }) => ({ id: row.run_id, pairs: tags })),
      ),
      lineage.record(
        unit,
        project,
        rows.flatMap((row) => toParentEdge(row.run_id, row.parent_run_id)),
      ),
      ...rows.map(({ run_id }) =>
        unit.emit({
          type: 'tracking-run.started',
          project,
          subject: formatReference('tracking-run', run_id),
          data: { runId: run_id, experimentId: String(experiment.experiment_id) },
        }),
      ),
    );
    return made.map(({ row, tags }) => ({
      info: rowToRunInfo({ ...row, experiment_id: experiment.experiment_id }),
      metrics: [],
      params: [],
      tags,
      datasets: [],
      modelInputs: [],
      modelOutputs: [],
    }));
  }

  const service: RunService = {
    async createRun(unit, input) {
      const { name, startMs, tags, ...common } = input;
      const [run] = await createRuns(unit, common, [{ name, startMs, tags }]);
      if (run === undefined) throw new Error('one run was asked for and none was made');
      return run;
    },

    async createRuns(unit, common, runs) {
      return (await createRuns(unit, common, runs)).map(({ info }) => info);
    },

    async run(reader, project, runId) {
      const row = await findRunRow(reader, project, runId);
      return row && (await toRuns(reader, [row]))[0];
    },

    async runInfo(reader, project, runId) {
      const row = await findRunRow(reader, project, runId);
      return row && rowToRunInfo(row);
    },

    async childRuns(reader, project, runId, page) {
      return (await listChildRows(reader, project, runId, page)).map(rowToRunInfo);
    },

    async updateRun(unit, { project, runId, status, endMs, name }) {
      const row = await getActiveRunRow(unit, project, runId);
      const change = {
        ...(status !== undefined && { status }),
        ...(endMs !== undefined && { end_ms: endMs }),
        ...(name && { name }),
      };
      if (name) await unlistIfListed(unit, project, runId);
      if (Object.keys(change).length > 0) await updateRun(unit, runId, change);
      if (name) await putKeyValues(unit, keyValueTables.runTags, runId, [{ key: runNameTag, value: name }]);
      if (status !== undefined) await recordFinished(unit, row, status);
      return rowToRunInfo({ ...row, ...change });
    },

    async finishRun(unit, { project, runId, status }) {
      // else it has ended before, or was purged by whom it belongs to: a step's end does not depend on it
      if ((await findRunLifecycle(unit, project, runId)) === undefined) return;
      if (await endRun(unit, { project, runId, status })) await recordEnd(unit, project, runId, status);
    },

    async deleteRun(unit, { project, runId }) {
      const row = await getRunRow(unit, project, runId);
      if (row.lifecycle !== 'active') return;
      await unlistIfListed(unit, project, runId);
      await updateRun(unit, runId, { lifecycle: 'deleted', deleted_ms: unit.nowMs });
    },

    async restoreRun(unit, { project, runId }) {
      const row = await getRunRow(unit, project, runId);
      if (row.lifecycle !== 'active') await updateRun(unit, runId, { lifecycle: 'active', deleted_ms: null });
    },
  };
  return service;
}
