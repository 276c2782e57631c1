export type { EvaluationDatasetsApi } from './evaluation-dataset-service.ts';
export type { EvaluationDataset } from './evaluation-dataset-store.ts';
export { createEvaluationModule, type EvaluationModule } from './evaluation-module.ts';
export type { StoredRecord } from './evaluation-record-store.ts';
export type { EvaluationApi, EvaluationDeps, Judgement } from './evaluation-service.ts';
export { type ParsedGate, parseGate } from './gate-expression.ts';
export { gateNames, unknownNames } from './gate-names.ts';
export type { ScorersApi } from './scorer-service.ts';
export type { ScorerSampling, ScorerVersion } from './scorer-store.ts';
