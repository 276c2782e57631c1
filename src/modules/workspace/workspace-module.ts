import type { FastifyInstance } from 'fastify';
import { toRfc3339 } from '#contracts/rfc3339';
import { applyWorkspace, diffWorkspace, getWorkspace } from '#contracts/workspace';
import { registerOperation } from '#platform/http';
import { printJsonSchema } from './document-schema.ts';
import { createWorkspaceService, type WorkspaceDeps } from './workspace-service.ts';
import { findSnapshot } from './workspace-store.ts';

export interface WorkspaceModule {
  readonly id: 'workspace';
  routes(app: FastifyInstance): void;
}

const defaultDocument = 'tidemill.yaml';

export function createWorkspaceModule(deps: WorkspaceDeps): WorkspaceModule {
  const service = createWorkspaceService(deps);
  return {
    id: 'workspace',
    routes(app) {
      registerOperation(app, diffWorkspace, async ({ body, context }, answer) => {
        const texts = new Map(Object.entries(body.texts));
        const sent = toSent(context.project, body);
        const { differences, codeChanged, ...planned } = await service.diff(sent, { files: body.files, texts });
        return answer(200, { ...planned, differences: [...differences], code: codeChanged });
      });

      registerOperation(app, applyWorkspace, async ({ body, context }, answer) => {
        const { differences, sources } = await service.apply(
          context.write,
          toSent(context.project, body),
          body.snapshot,
        );
        return answer(200, {
          project: context.project,
          snapshot: body.snapshot,
          differences: [...differences],
          changes: differences.filter(({ change }) => change === 'create' || change === 'change' || change === 'prune')
            .length,
          sources: sources.map((source) => ({ ...source })),
        });
      });

      registerOperation(app, getWorkspace, async ({ context }, answer) => {
        const applied = await findSnapshot(deps.database.read, context.project);
        return answer(200, {
          schema: printJsonSchema(),
          ...(applied && { snapshot: applied.snapshot, appliedAt: toRfc3339(applied.appliedMs) }),
        });
      });
    },
  };
}

function toSent(project: string, body: { readonly document?: string; readonly prune?: boolean }) {
  return { project, document: body.document ?? defaultDocument, prune: body.prune ?? false };
}
