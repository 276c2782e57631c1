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
    summary: 'list, show and create projects',
    load: async () => (await import('./nouns/project.ts')).project,
  },
  {
    noun: 'dataset',
    summary: 'list and show datasets, their versions, profiles and rows',
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
    summary: 'list, show, explain and cancel pipeline runs, answer steps that wait',
    load: async () => (await import('./nouns/pipeline-run.ts')).pipelineRun,
  },
  { noun: 'job', summary: 'list, show and cancel jobs', load: async () => (await import('./nouns/job.ts')).job },
  {
    noun: 'model',
    summary: 'list and show models, their versions and aliases',
    load: async () => (await import('./nouns/model.ts')).model,
  },
  {
    noun: 'graph',
    summary: 'list and show graphs of models',
    load: async () => (await import('./nouns/graph.ts')).graph,
  },
  {
    noun: 'prompt',
    summary: 'list and show prompts, their versions and aliases',
    load: async () => (await import('./nouns/prompt.ts')).prompt,
  },
  {
    noun: 'promotion',
    summary: 'list and show promotions',
    load: async () => (await import('./nouns/promotion.ts')).promotion,
  },
  {
    noun: 'approval',
    summary: 'list, show and decide approvals',
    load: async () => (await import('./nouns/approval.ts')).approval,
    actions: async () => (await import('./commands/decide.ts')).addApprovalActions,
  },
  {
    noun: 'deployment',
    summary: 'list and show deployments, roll one back',
    load: async () => (await import('./nouns/deployment.ts')).deployment,
  },
  {
    noun: 'rollout',
    summary: 'list, show, promote and abort rollouts',
    load: async () => (await import('./nouns/rollout.ts')).rollout,
  },
  {
    noun: 'alert',
    summary: 'list, show, silence and resolve alerts',
    load: async () => (await import('./nouns/alert.ts')).alert,
  },
  {
    noun: 'trigger',
    summary: 'list, show and fire triggers',
    load: async () => (await import('./nouns/trigger.ts')).trigger,
  },
  {
    noun: 'webhook',
    summary: 'list, show, create, change and remove webhooks',
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
    summary: 'list and show what the project holds',
    load: async () => (await import('./nouns/artifact.ts')).artifact,
  },
  {
    noun: 'secret',
    summary: 'list, show, put and remove secrets',
    load: async () => (await import('./nouns/secret.ts')).secret,
    actions: async () => (await import('./commands/put-secret.ts')).addPutSecret,
  },
  {
    noun: 'token',
    summary: 'list, show, create and revoke tokens',
    load: async () => (await import('./nouns/token.ts')).token,
  },
  {
    noun: 'experiment',
    summary: 'list and show experiments and their runs; delete, restore and purge one',
    load: async () => (await import('./nouns/experiment.ts')).experiment,
    actions: async () => (await import('./commands/purge.ts')).addPurgeAction('experiment'),
  },
  {
    noun: 'tracking-run',
    summary: 'list and show runs of MLflow clients and steps; delete, restore and purge one',
    load: async () => (await import('./nouns/tracking-run.ts')).trackingRun,
    actions: async () => (await import('./commands/purge.ts')).addPurgeAction('tracking-run'),
  },
  {
    noun: 'logged-model',
    summary: 'list and show models that MLflow clients logged; delete, restore and purge one',
    load: async () => (await import('./nouns/logged-model.ts')).loggedModel,
    actions: async () => (await import('./commands/purge.ts')).addPurgeAction('logged-model'),
  },
  {
    noun: 'trace',
    summary: 'list, search and show traces of applications',
    load: async () => (await import('./nouns/trace.ts')).trace,
  },
  {
    noun: 'prediction',
    summary: 'show a prediction; tell what really happened',
    load: async () => (await import('./nouns/prediction.ts')).prediction,
    actions: async () => (await import('./commands/push-truth.ts')).addPushTruth,
  },
  {
    noun: 'user',
    summary: 'list, show and create users, set their roles',
    load: async () => (await import('./nouns/user.ts')).user,
  },
  {
    noun: 'audit',
    summary: 'list the audit log and check its seals',
    load: async () => (await import('./nouns/audit.ts')).audit,
  },
];
