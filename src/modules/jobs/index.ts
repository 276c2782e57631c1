export { placeholdersOf } from './command-line.ts';
export type {
  CommandInput,
  Job,
  JobEnd,
  JobFile,
  JobResult,
  JobWork,
  Json,
  NamedBlob,
  NewJob,
  WorkerWork,
} from './job-types.ts';
export { hasValue, valueLimitBytes, workerWork } from './job-types.ts';
export { createJobsModule, type JobsModule, type JobsModuleDeps } from './jobs-module.ts';
export type { JobsApi } from './jobs-service.ts';
