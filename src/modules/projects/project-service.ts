import { isDeepStrictEqual } from 'node:util';
import type { GoalSpec } from '#contracts/projects';
import { formatReference, namePattern } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import {
  findProject,
  insertProject,
  listProjectsAfter,
  type Project,
  updateDescription,
  updateGoal,
} from './project-store.ts';
import { projectErrors } from './projects-errors.ts';

/** What other modules may ask of projects. */
export interface ProjectsApi {
  /** The project of this name, made when there is none. PROJECT_NAME_INVALID. */
  ensure(unit: Unit, name: string): Promise<Project>;
  /** PROJECT_EXISTS when there is one already. */
  create(unit: Unit, name: string, goal?: GoalSpec): Promise<Project>;
  /** PROJECT_NOT_FOUND. */
  get(reader: Reader, name: string): Promise<Project>;
  find(reader: Reader, name: string): Promise<Project | undefined>;
  /** By name; all of them unless asked for a page. */
  list(reader: Reader, page?: { readonly after?: string; readonly limit?: number }): Promise<readonly Project[]>;
  /** Writes what the project is; the same again writes nothing. PROJECT_NOT_FOUND. */
  describe(unit: Unit, name: string, description: string): Promise<Project>;
  /** Sets the goal, or takes it away; the same goal again writes nothing. PROJECT_NOT_FOUND. */
  setGoal(unit: Unit, name: string, goal: GoalSpec | undefined): Promise<Project>;
}

const maxDescriptionLength = 10_000;
const nameShape = new RegExp(namePattern);

async function insert(unit: Unit, name: string, goal?: GoalSpec): Promise<Project | undefined> {
  if (!nameShape.test(name)) throw projectErrors.PROJECT_NAME_INVALID(name);
  if (!(await insertProject(unit, name, goal))) return undefined;
  const subject = formatReference('project', name);
  await unit.emit({ type: 'project.created', project: name, subject, data: {} });
  if (goal !== undefined)
    await unit.emit({ type: 'project.goal.changed', project: name, subject, data: { set: true } });
  return { name, description: '', goal, createdMs: unit.nowMs };
}

export function createProjectService(): ProjectsApi {
  const api: ProjectsApi = {
    async ensure(unit, name) {
      return (await findProject(unit, name)) ?? (await insert(unit, name)) ?? (await api.get(unit, name));
    },
    async create(unit, name, goal) {
      const created = await insert(unit, name, goal);
      if (created === undefined) throw projectErrors.PROJECT_EXISTS(name);
      return created;
    },
    async get(reader, name) {
      const project = await findProject(reader, name);
      if (project !== undefined) return project;
      const known = await listProjectsAfter(reader, undefined, 1000);
      throw projectErrors.PROJECT_NOT_FOUND(
        name,
        known.map((one) => one.name),
      );
    },
    find: findProject,
    list: (reader, page = {}) => listProjectsAfter(reader, page.after, page.limit),
    async describe(unit, name, description) {
      const project = await api.get(unit, name);
      if (project.description === description) return project;
      if (description.length > maxDescriptionLength || description.includes('\0'))
        throw projectErrors.PROJECT_DESCRIPTION_INVALID();
      await updateDescription(unit, name, description);
      await unit.emit({
        type: 'project.described',
        project: name,
        subject: formatReference('project', name),
        data: {},
      });
      return { ...project, description };
    },
    async setGoal(unit, name, goal) {
      const project = await api.get(unit, name);
      if (isDeepStrictEqual(project.goal, goal)) return project;
      await updateGoal(unit, name, goal);
      await unit.emit({
        type: 'project.goal.changed',
        project: name,
        subject: formatReference('project', name),
        data: { set: goal !== undefined },
      });
      return { ...project, goal };
    },
  };
  return api;
}
