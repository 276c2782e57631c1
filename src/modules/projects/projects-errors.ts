import { defineErrors, nearestName } from '#platform/errors';

export const projectErrors = defineErrors({
  PROJECT_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, known: readonly string[] = []) => {
      const near = nearestName(name, known);
      return `there is no project named "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`;
    },
    details: (name: string) => ({ project: name }),
    help: 'List the projects with `tidemill project list`; `tidemill apply` creates the one its file names.',
  },
  PROJECT_EXISTS: {
    kind: 'conflict',
    message: (name: string) => `there is already a project named "${name}"`,
  },
  PROJECT_NAME_INVALID: {
    kind: 'invalid',
    message: (name: string) =>
      `"${name.slice(0, 120)}" cannot name a project: begin with a letter or digit, then letters, digits, ".", "_" or "-", 100 in all at most`,
  },
  PROJECT_DESCRIPTION_INVALID: {
    kind: 'invalid',
    message: () => 'the description of a project has at most 10000 characters and holds no NUL character',
  },
  PROJECT_CREATION_FORBIDDEN: {
    kind: 'forbidden',
    message: () => 'only an admin of all projects may create a project; ask one, or get a token with that role',
  },
});
