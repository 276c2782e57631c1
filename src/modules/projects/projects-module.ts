import type { FastifyInstance } from 'fastify';
import type { Database } from '#platform/database';
import type { Consumer } from '#platform/events';
import { registerProjectRoutes } from './project-routes.ts';
import { createProjectService, type ProjectsApi } from './project-service.ts';

export interface ProjectsModule {
  readonly id: 'projects';
  readonly api: ProjectsApi;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
}

export function createProjectsModule({ database }: { readonly database: Database }): ProjectsModule {
  const api = createProjectService();
  return { id: 'projects', api, consumers: [], routes: (app) => registerProjectRoutes(app, { database, api }) };
}
