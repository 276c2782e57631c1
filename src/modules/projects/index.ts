export type { ProjectsApi } from './project-service.ts';
export type { Project } from './project-store.ts';
export { createProjectsModule, type ProjectsModule } from './projects-module.ts';
