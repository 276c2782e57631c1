import { defineErrors } from '#platform/errors';

export const evaluationErrors = defineErrors({
  EVALUATION_NOT_FOUND: { kind: 'not_found', message: (id: string) => `there is no evaluation ${id} in this project` },
});
