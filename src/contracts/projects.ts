import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';
import { namePattern } from './references.ts';

export const projectsEvents = defineEvents({
  'project.created': Type.Object({}),
  'project.described': Type.Object({}),
  'project.goal.changed': Type.Object({ set: Type.Boolean({ description: 'false when the goal was taken away' }) }),
});

const ProjectName = Type.String({ pattern: namePattern, description: 'name of the project' });

/** The section `goal` of tidemill.yaml: what the model is for, and the number by which people judge it. */
export const GoalSpec = Type.Object(
  {
    statement: Type.String({ minLength: 1, maxLength: 2000, description: 'the business goal in one or two sentences' }),
    metric: Type.Optional(
      Type.Object(
        {
          name: Type.String({
            minLength: 1,
            maxLength: 100,
            description: 'metric that says how near the goal is: auc',
          }),
          target: Type.Optional(
            Type.String({
              pattern: '^(>=|<=|>|<|==)\\s*-?\\d+(\\.\\d+)?$',
              description: 'what it should reach: ">= 0.70"',
            }),
          ),
        },
        { additionalProperties: false, description: 'the number by which the goal is judged' },
      ),
    ),
    kpi: Type.Optional(
      Type.String({ minLength: 1, maxLength: 1000, description: 'the business figure that the model should move' }),
    ),
    framing: Type.Optional(
      Type.String({ minLength: 1, maxLength: 2000, description: 'how the goal is put as a machine-learning problem' }),
    ),
  },
  { additionalProperties: false, description: 'what the project is for' },
);
export type GoalSpec = Static<typeof GoalSpec>;

const Project = Type.Object({
  name: Type.String(),
  goal: Type.Optional(GoalSpec),
  createdAt: Type.Optional(Type.String({ format: 'date-time', description: 'absent for `default`, which always was' })),
});
export type ProjectView = Static<typeof Project>;

export const listProjects = defineOperation({
  id: 'projects.list',
  method: 'GET',
  path: '/api/v1/projects',
  summary: 'List the projects that the caller may read, by name.',
  permission: 'read',
  query: Type.Object({ ...pageFields }, { additionalProperties: false }),
  responses: { 200: pageOf(Project) },
  errors: ['CURSOR_INVALID'],
});

export const getProject = defineOperation({
  id: 'projects.get',
  method: 'GET',
  path: '/api/v1/projects/:name',
  summary: 'Show one project with its goal.',
  permission: 'read',
  params: Type.Object({ name: ProjectName }),
  responses: { 200: Project, 404: ErrorBody },
  errors: ['PROJECT_NOT_FOUND'],
});

export const createProject = defineOperation({
  id: 'projects.create',
  method: 'POST',
  path: '/api/v1/projects',
  summary: 'Create a project. Only an admin of all projects may.',
  permission: 'admin',
  body: Type.Object({ name: ProjectName, goal: Type.Optional(GoalSpec) }, { additionalProperties: false }),
  responses: { 201: Project, 403: ErrorBody, 409: ErrorBody },
  errors: ['PROJECT_EXISTS', 'PROJECT_CREATION_FORBIDDEN'],
});

export const setGoal = defineOperation({
  id: 'projects.goal',
  method: 'PUT',
  path: '/api/v1/goal',
  summary: "Set the project's goal; null takes it away.",
  permission: 'write',
  body: Type.Object({ goal: Type.Union([GoalSpec, Type.Null()]) }, { additionalProperties: false }),
  responses: { 200: Project, 404: ErrorBody },
  errors: ['PROJECT_NOT_FOUND'],
});
