export { printJsonSchema } from './document-schema.ts';
export { createWorkspaceModule, type WorkspaceModule } from './workspace-module.ts';
export type { WorkspaceDeps } from './workspace-service.ts';
