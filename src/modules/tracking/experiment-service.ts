import type { Reader, Unit } from '#platform/database';
import { trimSlashes } from '#platform/url-text';
import {
  findExperimentRow,
  findExperimentRowByName,
  insertExperiment,
  listActiveExperiments,
  listExperimentRows,
  nextExperimentNumbers,
  toExperiments,
  updateExperiment,
} from './experiment-store.ts';
import { deleteKeyValue, keyValueTables, putKeyValues } from './key-value-store.ts';
import { unlistExperiment } from './run-listing-store.ts';
import { updateRunsOfExperiment } from './run-store.ts';
import { trackingErrors } from './tracking-errors.ts';
import { requireExperimentName, requireExperimentTag } from './tracking-limits.ts';
import type { ExperimentRow, Lifecycle } from './tracking-tables.ts';
import type { Experiment, Tag } from './tracking-types.ts';

const defaultExperimentId = 0;
export const defaultExperimentName = 'Default';

export const toLocation = (id: number) => `mlflow-artifacts:/${id}`;

/** The number of an experiment as clients send it; undefined when it can be none. */
export function parseExperimentId(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Experiment 0 of a project, before anybody has written to it. */
const unwrittenDefault = (project: string): ExperimentRow => ({
  experiment_key: 0,
  project,
  experiment_id: defaultExperimentId,
  name: defaultExperimentName,
  artifact_location: toLocation(defaultExperimentId),
  lifecycle: 'active',
  created_ms: 0,
  updated_ms: 0,
});

export async function findAnyExperimentRow(
  reader: Reader,
  project: string,
  id: string,
): Promise<ExperimentRow | undefined> {
  const number = parseExperimentId(id);
  if (number === undefined) return undefined;
  const row = await findExperimentRow(reader, project, number);
  return row ?? (number === defaultExperimentId ? unwrittenDefault(project) : undefined);
}

/** The row to write to; makes experiment 0 of a project that has none yet. */
export async function takeExperimentRow(unit: Unit, project: string, id: string): Promise<ExperimentRow> {
  const row = await findAnyExperimentRow(unit, project, id);
  if (row === undefined) throw trackingErrors.EXPERIMENT_NOT_FOUND(id);
  if (row.experiment_key !== 0) return row;
  const { key } = await nextExperimentNumbers(unit, project);
  const made = { ...row, experiment_key: key, created_ms: unit.nowMs, updated_ms: unit.nowMs };
  await insertExperiment(unit, made);
  return made;
}

export function requireActive(row: ExperimentRow): void {
  if (row.lifecycle !== 'active') throw trackingErrors.EXPERIMENT_INACTIVE(String(row.experiment_id));
}

interface ExperimentName {
  readonly project: string;
  readonly experimentId: string;
}

export interface ExperimentService {
  /** Answers the new experiment's id. EXPERIMENT_EXISTS also for a deleted one's name. */
  createExperiment(
    unit: Unit,
    input: {
      readonly project: string;
      readonly name: string;
      readonly artifactLocation?: string | undefined;
      readonly tags?: readonly Tag[];
    },
  ): Promise<string>;
  /** The active or deleted experiment; undefined when there is none. Experiment 0 is always there. */
  experiment(reader: Reader, project: string, experimentId: string): Promise<Experiment | undefined>;
  /** Of these experiments those that are there, active or deleted, by id; in one query. */
  lifecycles(
    reader: Reader,
    project: string,
    experimentIds: readonly string[],
  ): Promise<ReadonlyMap<string, Lifecycle>>;
  /** Ids of a project's active experiments; 0 is among them unless it was deleted. */
  activeExperimentIds(reader: Reader, project: string): Promise<readonly string[]>;
  experimentByName(reader: Reader, project: string, name: string): Promise<Experiment | undefined>;
  renameExperiment(unit: Unit, input: ExperimentName & { readonly name: string }): Promise<void>;
  deleteExperiment(unit: Unit, input: ExperimentName): Promise<void>;
  restoreExperiment(unit: Unit, input: ExperimentName): Promise<void>;
  setExperimentTag(unit: Unit, input: ExperimentName & Tag): Promise<void>;
  deleteExperimentTag(unit: Unit, input: ExperimentName & { readonly key: string }): Promise<void>;
  /** Makes experiment 0 of a project. */
  ensureDefaultExperiment(unit: Unit, project: string): Promise<void>;
}

async function getActive(unit: Unit, project: string, id: string): Promise<ExperimentRow> {
  const row = await takeExperimentRow(unit, project, id);
  requireActive(row);
  return row;
}

async function changeLifecycle(
  unit: Unit,
  { project, experimentId }: ExperimentName,
  lifecycle: ExperimentRow['lifecycle'],
): Promise<void> {
  const row = await takeExperimentRow(unit, project, experimentId);
  if (row.lifecycle === lifecycle) throw trackingErrors.EXPERIMENT_NOT_FOUND(experimentId);
  await updateExperiment(unit, row.experiment_key, { lifecycle, updated_ms: unit.nowMs });
  if (lifecycle === 'deleted') await unlistExperiment(unit, row.experiment_key);
  await updateRunsOfExperiment(unit, row.experiment_key, {
    lifecycle,
    deletedMs: lifecycle === 'deleted' ? unit.nowMs : null,
  });
}

export function createExperimentService(): ExperimentService {
  return {
    async createExperiment(unit, { project, name, artifactLocation, tags = [] }) {
      requireExperimentName(name);
      tags.forEach(requireExperimentTag);
      if (artifactLocation?.startsWith('runs:'))
        throw trackingErrors.TRACKING_VALUE_INVALID(
          `Artifact location cannot be a runs:/ URI. Given: '${artifactLocation}'`,
        );
      if (artifactLocation !== undefined && /[?#]/.test(artifactLocation))
        throw trackingErrors.TRACKING_VALUE_INVALID("'artifact_location' URL can't include fragments or params.");
      const existing = name === defaultExperimentName || (await findExperimentRowByName(unit, project, name));
      if (existing) throw trackingErrors.EXPERIMENT_EXISTS(name);
      // whoever lists experiments sees "Default" beside the first one that was made
      await takeExperimentRow(unit, project, String(defaultExperimentId));
      const { key, id } = await nextExperimentNumbers(unit, project);
      await insertExperiment(unit, {
        experiment_key: key,
        project,
        experiment_id: id,
        name,
        artifact_location: trimSlashes(artifactLocation ?? '') || toLocation(id),
        lifecycle: 'active',
        created_ms: unit.nowMs,
        updated_ms: unit.nowMs,
      });
      if (tags.length > 0) await putKeyValues(unit, keyValueTables.experimentTags, key, tags);
      return String(id);
    },

    async experiment(reader, project, experimentId) {
      const row = await findAnyExperimentRow(reader, project, experimentId);
      return row && (await toExperiments(reader, [row]))[0];
    },

    async lifecycles(reader, project, experimentIds) {
      const numbers = new Map(experimentIds.map((id) => [id, parseExperimentId(id)]));
      const rows = await listExperimentRows(
        reader,
        project,
        [...numbers.values()].filter((number) => number !== undefined),
      );
      const found = new Map(rows.map((row) => [row.experiment_id, row.lifecycle]));
      if (!found.has(defaultExperimentId)) found.set(defaultExperimentId, 'active');
      return new Map(
        [...numbers].flatMap(([id, number]) => {
          const lifecycle = number === undefined ? undefined : found.get(number);
          return lifecycle === undefined ? [] : [[id, lifecycle] as const];
        }),
      );
    },

    async activeExperimentIds(reader, project) {
      const ids = (await listActiveExperiments(reader, project)).map((row) => row.experiment_id);
      if (ids.includes(defaultExperimentId)) return ids.map(String);
      const [row] = await listExperimentRows(reader, project, [defaultExperimentId]);
      return (row === undefined ? [defaultExperimentId, ...ids] : ids).map(String); // without a row it is there
    },

    async experimentByName(reader, project, name) {
      const row =
        (await findExperimentRowByName(reader, project, name)) ??
        (name === defaultExperimentName ? await findAnyExperimentRow(reader, project, '0') : undefined);
      return row?.name === name ? (await toExperiments(reader, [row]))[0] : undefined;
    },

    async renameExperiment(unit, { project, experimentId, name }) {
      requireExperimentName(name);
      const row = await getActive(unit, project, experimentId);
      const other = await findExperimentRowByName(unit, project, name);
      if (other !== undefined && other.experiment_key !== row.experiment_key)
        throw trackingErrors.EXPERIMENT_EXISTS(name);
      await updateExperiment(unit, row.experiment_key, { name, updated_ms: unit.nowMs });
    },

    deleteExperiment: (unit, input) => changeLifecycle(unit, input, 'deleted'),
    restoreExperiment: (unit, input) => changeLifecycle(unit, input, 'active'),

    async setExperimentTag(unit, { project, experimentId, key, value }) {
      requireExperimentTag({ key, value });
      const row = await getActive(unit, project, experimentId);
      await putKeyValues(unit, keyValueTables.experimentTags, row.experiment_key, [{ key, value }]);
      await updateExperiment(unit, row.experiment_key, { updated_ms: unit.nowMs });
    },

    async deleteExperimentTag(unit, { project, experimentId, key }) {
      const row = await getActive(unit, project, experimentId);
      if (!(await deleteKeyValue(unit, keyValueTables.experimentTags, row.experiment_key, key)))
        throw trackingErrors.TAG_NOT_FOUND(key, `experiment with id ${experimentId}`);
    },

    async ensureDefaultExperiment(unit, project) {
      await takeExperimentRow(unit, project, String(defaultExperimentId));
    },
  };
}
