import type { FastifyInstance } from 'fastify';
import { defaultPageLimit } from '#contracts/page';
import { createProject, getProject, listProjects, type ProjectView, setGoal } from '#contracts/projects';
import type { Database } from '#platform/database';
import { registerOperation } from '#platform/http';
import { decodeCursor, toPage } from '#platform/sql';
import type { ProjectsApi } from './project-service.ts';
import type { Project } from './project-store.ts';
import { projectErrors } from './projects-errors.ts';

const toView = ({ name, goal, createdMs }: Project): ProjectView => ({
  name,
  ...(goal !== undefined && { goal }),
  ...(createdMs !== undefined && { createdAt: new Date(createdMs).toISOString() }),
});

export function registerProjectRoutes(
  app: FastifyInstance,
  { database, api }: { readonly database: Database; readonly api: ProjectsApi },
): void {
  registerOperation(app, listProjects, async ({ query, context }, answer) => {
    const limit = query.limit ?? defaultPageLimit;
    const after = query.cursor === undefined ? undefined : String(decodeCursor(query.cursor)[0]);
    const page = await api.list(database.read, { ...(after !== undefined && { after }), limit: limit + 1 });
    const { shown, ...more } = toPage(page, limit, (last) => [last.name]);
    return answer(200, { items: shown.filter(({ name }) => context.principal.can('read', name)).map(toView), ...more });
  });

  registerOperation(app, getProject, async ({ params, context }, answer) => {
    // Who may not read a project does not learn that it exists.
    if (!context.principal.can('read', params.name)) throw projectErrors.PROJECT_NOT_FOUND(params.name);
    return answer(200, toView(await api.get(database.read, params.name)));
  });

  registerOperation(app, createProject, async ({ body, context }, answer) => {
    if (!context.principal.can('admin', body.name)) throw projectErrors.PROJECT_CREATION_FORBIDDEN();
    const project = await database.write(context.write, (unit) => api.create(unit, body.name, body.goal));
    return answer(201, toView(project));
  });

  registerOperation(app, setGoal, async ({ body, context }, answer) => {
    const project = await database.write(context.write, (unit) =>
      api.setGoal(unit, context.project, body.goal ?? undefined),
    );
    return answer(200, toView(project));
  });
}
