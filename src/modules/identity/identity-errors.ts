import { defineErrors } from '#platform/errors';

export const identityErrors = defineErrors({
  TOKEN_MISSING: {
    kind: 'unauthenticated',
    message: () =>
      'this server asks who you are: send a token as "Authorization: Bearer <token>" (MLflow\'s client has it from MLFLOW_TRACKING_TOKEN, tidemill from TIDEMILL_TOKEN)',
    help: 'The first admin token is in the file admin-token of the home folder; `tidemill token create` makes others.',
  },
  TOKEN_INVALID: {
    kind: 'unauthenticated',
    message: () => 'the token is unknown, expired or revoked; ask an admin of the project for a new one',
  },
  AUTHORIZATION_MALFORMED: {
    kind: 'unauthenticated',
    message: () =>
      'the Authorization header cannot be read: send "Bearer <token>", or "Basic" with the token as the password',
  },
  OPEN_ON_LOOPBACK_ONLY: {
    kind: 'unauthenticated',
    message: () =>
      'without authentication this server answers callers on its own machine alone; start it with --auth on',
  },
  TOKEN_NOT_FOUND: { kind: 'not_found', message: (id: string) => `there is no token "${id}" in this project` },
  TOKEN_SCOPE_INVALID: { kind: 'invalid', message: (problem: string) => `the token cannot be issued: ${problem}` },
  USER_NOT_FOUND: { kind: 'not_found', message: (name: string) => `there is no user named "${name}"` },
  USER_EXISTS: { kind: 'conflict', message: (name: string) => `there is already a user named "${name}"` },
  USER_NAME_INVALID: {
    kind: 'invalid',
    message: (name: string) =>
      `"${name.slice(0, 120)}" cannot name a user: begin with a letter or digit, then letters, digits, ".", "_", "@" or "-", 100 in all at most`,
  },
  ADMIN_OF_ALL_REQUIRED: {
    kind: 'forbidden',
    message: () => 'what concerns all projects needs the admin role for all projects; ask somebody who has it',
  },
});
