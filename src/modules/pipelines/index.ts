export type { PipelinesDeps } from './pipelines-deps.ts';
export { createPipelinesModule, type PipelinesModule } from './pipelines-module.ts';
export type { PipelinesApi, RunRequest } from './pipelines-service.ts';
export type { StepOutcome } from './waiting-steps.ts';
