import { defineErrors } from '#platform/errors';

export const trackingErrors = defineErrors({
  EXPERIMENT_NOT_FOUND: {
    kind: 'not_found',
    message: (id: string) => `there is no experiment "${id}" in this project`,
    details: (id: string) => ({ experiment: id }),
  },
  EXPERIMENT_NAME_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string) => `Could not find experiment with name '${name}'`,
  },
  EXPERIMENT_EXISTS: {
    kind: 'conflict',
    message: (name: string) =>
      `Experiment(name=${name}) already exists. Deleted experiments keep their names: restore it, purge it (tidemill experiment purge), or choose another.`,
  },
  EXPERIMENT_INACTIVE: {
    kind: 'invalid',
    message: (id: string) => `The experiment ${id} must be in the 'active' state. Current state is deleted.`,
  },
  TRACKING_RUN_NOT_FOUND: {
    kind: 'not_found',
    message: (id: string) => `there is no tracking run "${id}" in this project`,
    details: (id: string) => ({ run: id }),
  },
  TRACKING_RUN_INACTIVE: {
    kind: 'invalid',
    message: (id: string) => `The run ${id} must be in the 'active' state. Current state is deleted.`,
  },
  LOGGED_MODEL_NOT_FOUND: { kind: 'not_found', message: (id: string) => `Logged model with ID '${id}' not found.` },
  PARAM_CHANGED: {
    kind: 'invalid',
    message: (run: string, key: string, old: string, given: string) =>
      `Changing param values is not allowed. Param with key='${key}' was already logged with value='${old}' for run ID='${run}'. Attempted logging new value '${given}'.`,
  },
  TAG_NOT_FOUND: { kind: 'not_found', message: (key: string, of: string) => `No tag with name: ${key} in ${of}` },
  LOGGED_MODEL_PARAM_CHANGED: {
    kind: 'invalid',
    message: (model: string, key: string, old: string, given: string) =>
      `Changing param values is not allowed. Param with key='${key}' was already logged with value='${old}' for model ID='${model}'. Attempted logging new value '${given}'.`,
  },
  LOGGED_MODEL_TAG_NOT_FOUND: {
    kind: 'not_found',
    message: (key: string, id: string) => `No tag with key '${key}' found for model with ID '${id}'.`,
  },
  TRACKING_VALUE_INVALID: { kind: 'invalid', message: (why: string) => why },
  SEARCH_FILTER_INVALID: {
    kind: 'invalid',
    message: (source: string, position: number, why: string) =>
      `Invalid clause(s) in filter string "${source}" at position ${position}: ${why}`,
  },
  RUN_POSITION_INVALID: {
    kind: 'invalid',
    message: () => 'Invalid page token: it was not made for this search. Start again without one.',
  },
  SEARCH_ATTRIBUTE_UNKNOWN: {
    kind: 'invalid',
    message: (key: string, known: string) => `Invalid attribute key '${key}' specified. Valid keys are: ${known}`,
  },
  PURGE_NOT_DELETED: {
    kind: 'invalid',
    message: (what: string) => `${what} is not deleted: delete it first, or purge it by force`,
  },
  PURGE_DEFAULT_EXPERIMENT: {
    kind: 'invalid',
    message: () => 'experiment 0 belongs to each project and cannot be purged: delete its runs and purge those',
  },
  PURGE_NOT_FOUND: { kind: 'not_found', message: (id: string) => `there is no purge "${id}" in this project` },
  IMPORT_ELSEWHERE: {
    kind: 'conflict',
    message: (id: string) =>
      `"${id}" is in another project of this server already, and an id names one thing: import into that project, or take it away there first`,
    details: (id: string) => ({ id }),
  },
  IMPORT_BEING_PURGED: {
    kind: 'conflict',
    message: (what: string) =>
      `"${what}" was purged here and is being emptied at this moment: import again when GET /api/v1/purges shows no open purge`,
    details: (what: string) => ({ what }),
  },
  IMPORT_BYTES_MISSING: {
    kind: 'conflict',
    message: (sha256: string) =>
      `the project holds no bytes of ${sha256}: upload them first, PUT /api/v1/artifacts/${sha256}`,
    details: (sha256: string) => ({ sha256 }),
  },
  ARTIFACT_PATH_INVALID: {
    kind: 'invalid',
    message: (path: string) => `Invalid path: "${path}" is not a relative path inside the artifact folder`,
  },
  ARTIFACT_FILE_NOT_FOUND: { kind: 'not_found', message: (path: string) => `No such artifact: ${path}` },
  ARTIFACT_IS_FOLDER: {
    kind: 'invalid',
    message: (path: string) => `"${path}" is both a file and a folder; delete the one before writing the other`,
  },
});
