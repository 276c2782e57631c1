import { defineErrors } from '#platform/errors';

export const registryErrors = defineErrors({
  MODEL_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string) => `there is no model "${name}" in this project`,
    details: (name: string) => ({ model: name }),
  },
  MODEL_EXISTS: {
    kind: 'conflict',
    message: (name: string, kind: 'model' | 'prompt') => `there is a ${kind} "${name}" already`,
    details: (name: string, kind: 'model' | 'prompt') => ({ model: name, kind }),
  },
  MODEL_NAME_TAKEN: {
    kind: 'conflict',
    message: (name: string, wanted: 'model' | 'prompt', taken: 'model' | 'prompt') =>
      `a ${wanted} cannot be named "${name}": there is a ${taken} of that name, and the two share their names`,
    details: (name: string, wanted: 'model' | 'prompt', taken: 'model' | 'prompt') => ({ model: name, wanted, taken }),
  },
  MODEL_NAME_INVALID: {
    kind: 'invalid',
    details: (name: string) => ({ model: name }),
    message: (name: string) =>
      `"${name}" cannot name a model: a name is not blank, at most 256 characters and has no "/" or ":"`,
  },
  MODEL_VERSION_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, at: string) => `model "${name}" has no version or alias "${at}"`,
    details: (name: string, at: string) => ({ model: name, version: at }),
  },
  MODEL_ALIAS_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, alias: string) => `model "${name}" has no alias "${alias}"`,
    details: (name: string, alias: string) => ({ model: name, alias }),
  },
  MODEL_ALIAS_INVALID: {
    kind: 'invalid',
    details: (alias: string) => ({ alias }),
    message: (alias: string) =>
      `"${alias}" cannot be an alias: 1 to 255 letters, digits, "_" and "-"; "latest" and "v<number>" are reserved`,
  },
  MODEL_STAGE_INVALID: {
    kind: 'invalid',
    message: (stage: string) =>
      `Invalid Model Version stage: ${stage}. Value must be one of None, Staging, Production, Archived.`,
  },
  MODEL_TAG_INVALID: { kind: 'invalid', message: (why: string) => why },
  MODEL_BYTES_MISSING: {
    kind: 'conflict',
    message: (sha256: string) =>
      `the project holds no bytes of ${sha256}: upload them first, PUT /api/v1/artifacts/${sha256}`,
    details: (sha256: string) => ({ sha256 }),
  },
  PROMOTION_NOT_FOUND: { kind: 'not_found', message: (id: string) => `there is no promotion "${id}"` },
  PROMOTION_CHECK_UNKNOWN: {
    kind: 'invalid',
    message: (id: string, check: string, known: string) =>
      `promotion ${id} does not require "${check}"; it requires: ${known}`,
  },
  PROMOTION_STATE_CONFLICT: {
    kind: 'conflict',
    message: (id: string, state: string, wanted: string) =>
      `promotion ${id} is ${state}; only a promotion that is ${wanted} allows this`,
  },
});
