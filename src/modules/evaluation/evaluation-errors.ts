import { defineErrors } from '#platform/errors';

export const evaluationErrors = defineErrors({
  EVALUATION_NOT_FOUND: { kind: 'not_found', message: (id: string) => `there is no evaluation ${id} in this project` },
  EVALUATION_SUPERSEDED: {
    kind: 'conflict',
    message: (alias: string) => `${alias} moved while the version was compared with it; it is compared again`,
  },
  EVALUATION_DATASET_NOT_FOUND: {
    kind: 'not_found',
    message: (id: string) => `there is no evaluation dataset "${id}" in this project`,
    details: (id: string) => ({ dataset: id }),
  },
  EVALUATION_VALUE_INVALID: { kind: 'invalid', message: (why: string) => why },
  EVALUATION_RECORD_INVALID: {
    kind: 'invalid',
    message: (at: number, why: string) => `record ${at} cannot be kept: ${why}`,
  },
  EVALUATION_EXPERIMENT_NOT_FOUND: {
    kind: 'not_found',
    message: (id: string) => `there is no experiment "${id}" in this project`,
    details: (id: string) => ({ experiment: id }),
  },
  EVALUATION_EXPERIMENT_INACTIVE: {
    kind: 'invalid',
    message: (id: string) => `The experiment ${id} must be in the 'active' state. Current state is deleted.`,
  },
  SCORER_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, version: number | undefined, experiment: string) =>
      `Scorer with name '${name}'${version === undefined ? '' : ` and version ${version}`} not found for experiment ${experiment}.`,
  },
});
