import type { Reader, Unit } from '#platform/database';
import { prepareAssumption, prepareQuery } from '#platform/prepared-query';
import { inList } from '#platform/sql';
import { keyValueTables, listKeyValues } from './key-value-store.ts';
import type { ExperimentRow, TrackingTables } from './tracking-tables.ts';
import type { Experiment, Tag } from './tracking-types.ts';

export const experimentColumns = [
  'tracking_experiments.experiment_key',
  'tracking_experiments.project',
  'tracking_experiments.experiment_id',
  'tracking_experiments.name',
  'tracking_experiments.artifact_location',
  'tracking_experiments.lifecycle',
  'tracking_experiments.created_ms',
  'tracking_experiments.updated_ms',
] as const;

function rowToExperiment(row: ExperimentRow, tags: readonly Tag[]): Experiment {
  return {
    key: row.experiment_key,
    project: row.project,
    experimentId: String(row.experiment_id),
    name: row.name,
    artifactLocation: row.artifact_location,
    lifecycle: row.lifecycle,
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
    tags,
  };
}

export async function toExperiments(reader: Reader, rows: readonly ExperimentRow[]): Promise<Experiment[]> {
  if (rows.length === 0) return [];
  const keys = rows.map((row) => row.experiment_key);
  const tags = await listKeyValues(reader, keyValueTables.experimentTags, keys);
  return rows.map((row) => rowToExperiment(row, tags.get(row.experiment_key) ?? []));
}

export async function findExperimentRow(
  reader: Reader,
  project: string,
  id: number,
): Promise<ExperimentRow | undefined> {
  return (await selectExperiment(reader, { project, id })).rows[0];
}

const selectExperiment = prepareQuery<ExperimentRow, { project: string; id: number }>((reader, { project, id }) =>
  reader
    .query<TrackingTables>()
    .selectFrom('tracking_experiments')
    .select(experimentColumns)
    .where('tracking_experiments.project', '=', project)
    .where('tracking_experiments.experiment_id', '=', id),
);

/** The experiment is active and what a run takes from it is as in this row. */
export const isActiveExperiment = prepareAssumption<{ [Column in keyof ExperimentRow]: string | number }>(
  (reader, row) =>
    reader
      .query<{ tracking_experiments: { [Column in keyof ExperimentRow]: string | number } }>()
      .selectFrom('tracking_experiments')
      .select('tracking_experiments.experiment_key')
      .where('tracking_experiments.experiment_key', '=', row.experiment_key)
      .where('tracking_experiments.project', '=', row.project)
      .where('tracking_experiments.experiment_id', '=', row.experiment_id)
      .where('tracking_experiments.name', '=', row.name)
      .where('tracking_experiments.artifact_location', '=', row.artifact_location)
      .where('tracking_experiments.lifecycle', '=', 'active'),
);

export function findExperimentRowByName(
  reader: Reader,
  project: string,
  name: string,
): Promise<ExperimentRow | undefined> {
  return reader
    .query<TrackingTables>()
    .selectFrom('tracking_experiments')
    .select(experimentColumns)
    .where('tracking_experiments.project', '=', project)
    .where('tracking_experiments.name', '=', name)
    .executeTakeFirst();
}

export function listExperimentRows(reader: Reader, project: string, ids: readonly number[]): Promise<ExperimentRow[]> {
  return reader
    .query<TrackingTables>()
    .selectFrom('tracking_experiments')
    .select(experimentColumns)
    .where('tracking_experiments.project', '=', project)
    .where(inList(reader, 'tracking_experiments.experiment_id', ids))
    .execute();
}

/** Where the rows of purged experiments are kept, so that their numbers are not given again: no project has such a name. */
const purgedProject = (project: string): string => `${project}:purged`;

/** Takes an experiment out of its project, deleted: nothing finds it any more, and its name is free. */
export async function leaveProject(unit: Unit, experimentKey: number): Promise<void> {
  const query = unit.query<TrackingTables>();
  const row = await query
    .selectFrom('tracking_experiments')
    .select(['tracking_experiments.project', 'tracking_experiments.experiment_id'])
    .where('tracking_experiments.experiment_key', '=', experimentKey)
    .executeTakeFirstOrThrow();
  await query
    .updateTable('tracking_experiments')
    .set({
      project: purgedProject(row.project),
      name: String(row.experiment_id),
      artifact_location: '',
      lifecycle: 'deleted',
    })
    .where('tracking_experiments.experiment_key', '=', experimentKey)
    .execute();
  await query
    .deleteFrom('tracking_experiment_tags')
    .where('tracking_experiment_tags.experiment_key', '=', experimentKey)
    .execute();
}

/** Of a project's active experiments the keys and ids. */
export function listActiveExperiments(
  reader: Reader,
  project: string,
): Promise<Pick<ExperimentRow, 'experiment_key' | 'experiment_id'>[]> {
  return reader
    .query<TrackingTables>()
    .selectFrom('tracking_experiments')
    .select(['tracking_experiments.experiment_key', 'tracking_experiments.experiment_id'])
    .where('tracking_experiments.project', '=', project)
    .where('tracking_experiments.lifecycle', '=', 'active')
    .execute();
}

/** The numbers that the next experiment of a project takes: none twice, also when the one that had it was purged. */
export async function nextExperimentNumbers(
  unit: Unit,
  project: string,
): Promise<{ readonly key: number; readonly id: number }> {
  const query = unit.query<TrackingTables>();
  const { key } = await query
    .selectFrom('tracking_experiments')
    .select((eb) => eb.fn.coalesce(eb.fn.max('tracking_experiments.experiment_key'), eb.lit(0)).as('key'))
    .executeTakeFirstOrThrow();
  const { id } = await query
    .selectFrom('tracking_experiments')
    .select((eb) => eb.fn.coalesce(eb.fn.max('tracking_experiments.experiment_id'), eb.lit(0)).as('id'))
    .where('tracking_experiments.project', 'in', [project, purgedProject(project)])
    .executeTakeFirstOrThrow();
  return { key: key + 1, id: id + 1 };
}

export async function insertExperiment(unit: Unit, row: ExperimentRow): Promise<void> {
  await unit.query<TrackingTables>().insertInto('tracking_experiments').values(row).execute();
}

export async function updateExperiment(
  unit: Unit,
  key: number,
  change: Partial<Pick<ExperimentRow, 'name' | 'lifecycle' | 'updated_ms'>>,
): Promise<void> {
  await unit
    .query<TrackingTables>()
    .updateTable('tracking_experiments')
    .set(change)
    .where('tracking_experiments.experiment_key', '=', key)
    .execute();
}
