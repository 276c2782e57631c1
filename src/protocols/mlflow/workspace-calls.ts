import type { Project } from '#modules/projects';
import type { CallInput, MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, mlflowErrors, sendMlflowError } from './mlflow-errors.ts';
import type { WireFields } from './wire-fields.ts';
import { list } from './wire-views.ts';

/*
 * A workspace is a project. Clients name it by the header X-MLFLOW-WORKSPACE, which the HTTP edge takes for what the
 * prefix /projects/<project> says; these calls have it in their path.
 */
const prefix = '/3.0/mlflow/workspaces';

/** Clients say no project beside these calls: what a caller may is asked in the one that the path or the body names. */
const permission = { permission: 'read', asksItself: true } as const;

const toWireWorkspace = ({ name, description }: Project) => ({ name, ...(description !== '' && { description }) });

/** What a workspace may have in MLflow and a project has not: silence would look like consent. */
function requireNoPlaces(fields: WireFields): void {
  if (fields.text('default_artifact_root'))
    throw invalidParameter(
      "'default_artifact_root' cannot be set: a workspace is a project here, whose artifacts lie where the server keeps all of them.",
    );
  const archive = fields.message('trace_archival_config');
  if (archive?.text('location') || archive?.text('retention'))
    throw invalidParameter("'trace_archival_config' cannot be set: traces are not archived here.");
}

const nameOf = ({ params }: CallInput) => params['workspace_name'] ?? '';

function requireAdmin({ context }: CallInput, name: string): void {
  if (!context.principal.can('admin', name)) throw mlflowErrors.MLFLOW_WORKSPACE_FORBIDDEN(name);
}

export function workspaceCalls({ database, projects }: MlflowDeps): readonly MlflowCall[] {
  /** Who may not read a project does not learn that it is there. */
  async function get(input: CallInput): Promise<Project> {
    const name = nameOf(input);
    if (!input.context.principal.can('read', name)) throw mlflowErrors.MLFLOW_WORKSPACE_NOT_FOUND(name);
    return projects.get(database.read, name);
  }

  return [
    {
      method: 'GET',
      path: prefix,
      ...permission,
      handle: async ({ context }) => {
        const all = await projects.list(database.read);
        return list('workspaces', all.filter(({ name }) => context.principal.can('read', name)).map(toWireWorkspace));
      },
    },
    {
      method: 'POST',
      path: prefix,
      ...permission,
      handle: async (input) => {
        const { fields, context, reply } = input;
        const name = fields.requiredName('name');
        const description = fields.text('description') ?? '';
        requireNoPlaces(fields);
        requireAdmin(input, name);
        const workspace = await database.write(context.write, async (unit) => {
          await projects.create(unit, name);
          return projects.describe(unit, name, description);
        });
        void reply.status(201); // clients look for it
        return { workspace: toWireWorkspace(workspace) };
      },
    },
    {
      method: 'GET',
      path: `${prefix}/:workspace_name`,
      ...permission,
      handle: async (input) => ({ workspace: toWireWorkspace(await get(input)) }),
    },
    {
      method: 'PATCH',
      path: `${prefix}/:workspace_name`,
      ...permission,
      handle: async (input) => {
        const { name } = await get(input);
        requireAdmin(input, name);
        requireNoPlaces(input.fields);
        const description = input.fields.text('description');
        if (description === undefined) throw invalidParameter('Workspace update must have at least one key');
        const workspace = await database.write(input.context.write, (unit) =>
          projects.describe(unit, name, description),
        );
        return { workspace: toWireWorkspace(workspace) };
      },
    },
    {
      method: 'DELETE',
      path: `${prefix}/:workspace_name`,
      ...permission,
      handle: async ({ reply }) =>
        sendMlflowError(
          reply,
          'NOT_IMPLEMENTED',
          'A workspace is a project, and projects are not removed: events, lineage and audit go on naming them. Purge what is in it instead.',
        ),
    },
  ];
}
