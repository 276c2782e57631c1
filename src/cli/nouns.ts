import type { Command } from 'commander';
import type { CliEnvironment } from './context.ts';
import type { NounOperations } from './noun-command.ts';

/** A thing that can be listed and shown: one entry here is all that its commands need. */
export interface Noun {
  /** Singular, as in `tidemill dataset list`. */
  readonly noun: string;
  readonly summary: string;
  readonly load: () => Promise<NounOperations>;
  /** Adds commands that do more than read. */
  readonly actions?: () => Promise<(command: Command, world: CliEnvironment) => void>;
}

/** Loads the typed part (`nounOf`) with the contracts, which are too heavy for `--help`. */
export const nouns: readonly Noun[] = [
  {
    noun: 'project',
    summary: 'list and show projects',
    load: async () => (await import('./nouns/project.ts')).project,
  },
  {
    noun: 'dataset',
    summary: 'list and show datasets',
    load: async () => (await import('./nouns/dataset.ts')).dataset,
  },
  {
    noun: 'feature',
    summary: 'list and show feature views',
    load: async () => (await import('./nouns/feature.ts')).feature,
  },
  {
    noun: 'pipeline',
    summary: 'list and show pipelines',
    load: async () => (await import('./nouns/pipeline.ts')).pipeline,
  },
  {
    noun: 'pipeline-run',
    summary: 'list and show pipeline runs',
    load: async () => (await import('./nouns/pipeline-run.ts')).pipelineRun,
  },
  { noun: 'job', summary: 'list and show jobs', load: async () => (await import('./nouns/job.ts')).job },
  { noun: 'model', summary: 'list and show models', load: async () => (await import('./nouns/model.ts')).model },
  {
    noun: 'promotion',
    summary: 'list and show promotions',
    load: async () => (await import('./nouns/promotion.ts')).promotion,
  },
  {
    noun: 'approval',
    summary: 'list and show approvals',
    load: async () => (await import('./nouns/approval.ts')).approval,
    actions: async () => (await import('./commands/decide.ts')).addApprovalActions,
  },
  {
    noun: 'deployment',
    summary: 'list and show deployments',
    load: async () => (await import('./nouns/deployment.ts')).deployment,
  },
  {
    noun: 'rollout',
    summary: 'list and show rollouts',
    load: async () => (await import('./nouns/rollout.ts')).rollout,
    actions: async () => (await import('./commands/decide.ts')).addRolloutActions,
  },
  { noun: 'alert', summary: 'list and show alerts', load: async () => (await import('./nouns/alert.ts')).alert },
  {
    noun: 'trigger',
    summary: 'list and show triggers',
    load: async () => (await import('./nouns/trigger.ts')).trigger,
  },
  {
    noun: 'webhook',
    summary: 'list and show webhooks',
    load: async () => (await import('./nouns/webhook.ts')).webhook,
  },
  {
    noun: 'evaluation',
    summary: 'list and show evaluations',
    load: async () => (await import('./nouns/evaluation.ts')).evaluation,
  },
  {
    noun: 'monitor',
    summary: 'list and show monitors and their windows',
    load: async () => (await import('./nouns/monitor.ts')).monitor,
  },
  {
    noun: 'artifact',
    summary: 'list what the project holds',
    load: async () => (await import('./nouns/artifact.ts')).artifact,
  },
  { noun: 'secret', summary: 'list secrets', load: async () => (await import('./nouns/secret.ts')).secret },
  { noun: 'token', summary: 'list tokens', load: async () => (await import('./nouns/token.ts')).token },
];
