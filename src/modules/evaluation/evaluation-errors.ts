import { defineErrors } from '#platform/errors';

export const evaluationErrors = defineErrors({
  EVALUATION_NOT_FOUND: { kind: 'not_found', message: (id: string) => `there is no evaluation ${id} in this project` },
  EVALUATION_SUPERSEDED: {
    kind: 'conflict',
    message: (alias: string) => `${alias} moved while the version was compared with it; it is compared again`,
  },
});
