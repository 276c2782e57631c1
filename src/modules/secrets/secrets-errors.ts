import { defineErrors } from '#platform/errors';

export const secretErrors = defineErrors({
  SECRET_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, project: string) => `there is no secret "${name}" in project "${project}"`,
    help: 'Put it: `tidemill secret put <name> --grants pipeline:<name>`, the value by standard input.',
  },
  SECRET_NAME_INVALID: {
    kind: 'invalid',
    message: (name: string) =>
      `"${name.slice(0, 120)}" cannot name a secret: begin with a letter or digit, then letters, digits, ".", "_" or "-", 100 in all at most`,
  },
  SECRET_NOT_GRANTED: {
    kind: 'forbidden',
    message: (name: string, grantee: string) =>
      `${grantee} may not read the secret "${name}"; put it again with a grant for ${grantee}`,
  },
  SECRET_KEY_UNAVAILABLE: {
    kind: 'unavailable',
    message: (file: string, problem: string) => `the key of the secrets in ${file} cannot be used: ${problem}`,
    help: 'The file is made at the first start, holds 32 bytes in 64 hexadecimal digits and must have mode 0600. Restore it from the backup of the home folder.',
  },
  SECRET_UNREADABLE: {
    kind: 'unavailable',
    message: (name: string, reason: string) => `the secret "${name}" cannot be decrypted: ${reason}; put it again`,
  },
});
