import { defineErrors } from '#platform/errors';

export const tracesErrors = defineErrors({
  TRACE_NOT_FOUND: {
    kind: 'not_found',
    message: (id: string) => `Trace with ID '${id}' not found.`,
    details: (id: string) => ({ trace: id }),
  },
  TRACE_EXPERIMENT_NOT_FOUND: { kind: 'not_found', message: (id: string) => `No Experiment with id=${id} exists` },
  TRACE_RUN_NOT_FOUND: { kind: 'not_found', message: (id: string) => `Run with id=${id} not found` },
  TRACE_TAG_NOT_FOUND: {
    kind: 'not_found',
    message: (key: string, id: string) => `No trace tag with key '${key}' for trace with ID '${id}'`,
  },
  TRACE_ASSESSMENT_NOT_FOUND: {
    kind: 'not_found',
    message: (assessment: string, trace: string) => `Assessment with ID '${assessment}' not found for trace '${trace}'`,
  },
  TRACE_VALUE_INVALID: { kind: 'invalid', message: (why: string) => why },
  TRACE_FILTER_INVALID: { kind: 'invalid', message: (why: string) => why },
});
