import { defineErrors } from '#platform/errors';

export const datasetsErrors = defineErrors({
  DATASET_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, near: string | undefined) =>
      `there is no dataset "${name}"${near === undefined ? '; declare it in tidemill.yaml and apply' : `; did you mean "${near}"?`}`,
  },
  DATASET_VERSION_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, version: string) => `dataset "${name}" has no version ${version}`,
  },
  DATASET_NOT_LANDED: {
    kind: 'conflict',
    message: (name: string) => `dataset "${name}" is made by a pipeline step: nothing can be landed in it`,
  },
  DATASET_NOT_DECLARED: {
    kind: 'conflict',
    message: (name: string) =>
      `dataset "${name}" is no longer declared: declare it in tidemill.yaml, apply, and land its files again`,
  },
  DATASET_SOURCE_EMPTY: {
    kind: 'invalid',
    message: (name: string, source: string) => `no file matches the source of dataset "${name}": ${source}`,
  },
  DATASET_SOURCE_CHANGED: {
    kind: 'conflict',
    message: (name: string, path: string) =>
      `${path} was landed in dataset "${name}" with other content: a landed file does not change; give the new rows a file of their own`,
  },
  DATASET_SOURCE_MISSING: {
    kind: 'conflict',
    message: (name: string, path: string) =>
      `${path} was landed in dataset "${name}" and is gone: put it back; landed data is immutable`,
  },
  DATASET_SOURCE_MOVED: {
    kind: 'conflict',
    message: (name: string, source: string, paths: readonly string[]) =>
      `the source of dataset "${name}" was changed to ${source}, which no longer matches ${paths[0]}${paths.length > 1 ? ` and ${paths.length - 1} more` : ''}, landed before: landed data stays, so let the source match those files too, or declare the new files as a dataset of another name`,
  },
  DATASET_SCHEMA_CHANGED: {
    kind: 'invalid',
    message: (name: string, problems: string) =>
      `the columns of the new files do not fit dataset "${name}": ${problems}`,
  },
  DATASET_FORMAT_UNKNOWN: {
    kind: 'invalid',
    message: (path: string) => `the format of ${path} cannot be told by its name; say format: csv, jsonl or parquet`,
  },
  INGESTION_NOT_FOUND: { kind: 'not_found', message: (id: string) => `there is no ingestion ${id} in this project` },
});
