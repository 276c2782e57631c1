export type { PipelinesDeps } from './pipelines-deps.ts';
export { createPipelinesModule, type PipelinesModule } from './pipelines-module.ts';
export type { PipelinesApi, RunRequest, StepOutcome } from './pipelines-service.ts';
