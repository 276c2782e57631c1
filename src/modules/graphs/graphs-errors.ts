import { defineErrors } from '#platform/errors';

export const graphsErrors = defineErrors({
  GRAPH_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, near: string | undefined) =>
      `there is no graph "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    help: 'Declare it under `graphs:` in tidemill.yaml and run `tidemill apply`.',
  },
  GRAPH_INVALID: {
    kind: 'invalid',
    message: (name: string, reason: string) => `graph "${name}" does not fit together: ${reason}`,
    help: 'docs/graphs.md says how tensors are wired; `tidemill model show <name>` shows what a model takes and gives.',
  },
  GRAPH_NAME_TAKEN: {
    kind: 'conflict',
    message: (name: string) =>
      `"${name}" is a model that is no graph: the versions of a graph are those of the model of its name`,
    help: 'Name the graph otherwise.',
  },
});
