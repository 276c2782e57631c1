import type { DocumentProblem } from '#contracts/workspace';
import { defineErrors } from '#platform/errors';

export const workspaceErrors = defineErrors({
  WORKSPACE_INVALID: {
    kind: 'invalid',
    message: (problems: readonly DocumentProblem[]) =>
      problems
        .map(
          ({ file, line, column, message, expected, nearest }) =>
            `${file}:${line}:${column}: ${message}${expected === undefined ? '' : `; expected ${expected}`}${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
        )
        .join('\n'),
    details: (problems: readonly DocumentProblem[]) => ({ problems }),
    help: 'Each line names file, line and column; mend them all, then apply again. Nothing has been changed.',
  },
  WORKSPACE_SNAPSHOT_UNREADABLE: {
    kind: 'invalid',
    message: (digest: string, problem: string) =>
      `${digest} is no snapshot of a project: ${problem}; send the digest of a tree manifest, as "tidemill apply" does`,
  },
  WORKSPACE_PROJECT_MISMATCH: {
    kind: 'invalid',
    message: (declared: string, addressed: string) =>
      `the document declares project "${declared}" but was sent to "${addressed}"`,
  },
});
