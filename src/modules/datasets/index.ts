export type { DatasetPart, DatasetVersion, SourceFile } from './dataset-types.ts';
export type { DatasetsDeps } from './datasets-deps.ts';
export { createDatasetsModule, type DatasetsModule } from './datasets-module.ts';
export type { DatasetsApi } from './datasets-service.ts';
