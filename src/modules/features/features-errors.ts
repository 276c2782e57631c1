import { defineErrors } from '#platform/errors';

export const featuresErrors = defineErrors({
  FEATURE_VIEW_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, near: string | undefined) =>
      `there is no feature view "${name}"${near === undefined ? '; declare it in tidemill.yaml and apply' : `; did you mean "${near}"?`}`,
  },
  FEATURE_DATA_MISSING: {
    kind: 'invalid',
    message: (view: string, dataset: string) =>
      `feature view "${view}" reads dataset "${dataset}", which has no version yet: land its data`,
  },
  FEATURE_ROW_INVALID: {
    kind: 'invalid',
    message: (row: number, reason: string) => `row ${row}: ${reason}`,
  },
  FEATURE_SQL_MISSING: {
    kind: 'invalid',
    message: (view: string, path: string) =>
      `feature view "${view}" names ${path}, which is not in the project's snapshot`,
  },
});
