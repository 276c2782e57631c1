import { Compile } from 'typebox/compile';
import { GoalSpec } from '#contracts/projects';
import type { Reader, Unit } from '#platform/database';
import { lazily } from '#platform/lazily';
import type { ProjectsTables } from './projects-tables.ts';

export interface Project {
  readonly name: string;
  /** Empty when nobody wrote one. */
  readonly description: string;
  readonly goal: GoalSpec | undefined;
  /** Undefined for `default`, which comes with the database. */
  readonly createdMs: number | undefined;
}

const goalShape = lazily(() => Compile(GoalSpec));

function rowToProject(row: ProjectsTables['projects']): Project {
  return {
    name: row.name,
    description: row.description,
    goal: row.goal === null ? undefined : goalShape().Parse(JSON.parse(row.goal)),
    createdMs: row.created_ms ?? undefined,
  };
}

const select = (reader: Reader) =>
  reader
    .query<ProjectsTables>()
    .selectFrom('projects')
    .select(['projects.name', 'projects.description', 'projects.goal', 'projects.created_ms']);

export async function findProject(reader: Reader, name: string): Promise<Project | undefined> {
  const row = await select(reader).where('projects.name', '=', name).executeTakeFirst();
  return row && rowToProject(row);
}

export async function listProjectsAfter(
  reader: Reader,
  after: string | undefined,
  limit: number | undefined,
): Promise<readonly Project[]> {
  let query = select(reader).orderBy('projects.name');
  if (after !== undefined) query = query.where('projects.name', '>', after);
  if (limit !== undefined) query = query.limit(limit);
  return (await query.execute()).map(rowToProject);
}

/** False when there is already one of this name. */
export async function insertProject(unit: Unit, name: string, goal: GoalSpec | undefined): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await unit
    .query<ProjectsTables>()
    .insertInto('projects')
    .values({ name, description: '', goal: goal === undefined ? null : JSON.stringify(goal), created_ms: unit.nowMs })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

export async function updateDescription(unit: Unit, name: string, description: string): Promise<void> {
  await unit
    .query<ProjectsTables>()
    .updateTable('projects')
    .set({ description })
    .where('projects.name', '=', name)
    .execute();
}

export async function updateGoal(unit: Unit, name: string, goal: GoalSpec | undefined): Promise<void> {
  await unit
    .query<ProjectsTables>()
    .updateTable('projects')
    .set({ goal: goal === undefined ? null : JSON.stringify(goal) })
    .where('projects.name', '=', name)
    .execute();
}
