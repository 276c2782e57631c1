export { createEvaluationModule, type EvaluationModule } from './evaluation-module.ts';
export type { EvaluationApi, EvaluationDeps, Judgement } from './evaluation-service.ts';
export { type ParsedGate, parseGate } from './gate-expression.ts';
export { gateNames, unknownNames } from './gate-names.ts';
