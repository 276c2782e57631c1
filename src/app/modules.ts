import type { FastifyInstance } from 'fastify';
import { type AlertsModule, createAlertsModule } from '#modules/alerts';
import { createApprovalsModule } from '#modules/approvals';
import { createArtifactsModule } from '#modules/artifacts';
import { type AuditModule, createAuditModule } from '#modules/audit';
import { createAutomationModule } from '#modules/automation';
import { createDatasetsModule } from '#modules/datasets';
import { createDeploymentsModule } from '#modules/deployments';
import { createEvaluationModule } from '#modules/evaluation';
import { createFeaturesModule } from '#modules/features';
import { createGraphsModule } from '#modules/graphs';
import { createIdentityModule, type IdentityModule } from '#modules/identity';
import { createJobsModule, type JobsModule } from '#modules/jobs';
import { createLineageModule, type LineageApi } from '#modules/lineage';
import { createMonitoringModule } from '#modules/monitoring';
import { createPipelinesModule } from '#modules/pipelines';
import { createPredictionsModule } from '#modules/predictions';
import { createProjectsModule, type ProjectsModule } from '#modules/projects';
import { createRegistryModule, type RegistryApi } from '#modules/registry';
import { createRolloutsModule } from '#modules/rollouts';
import { createSecretsModule, type SecretsModule } from '#modules/secrets';
import { createTracesModule, type TracesApi } from '#modules/traces';
import { createTrackingModule, type TrackingApi } from '#modules/tracking';
import { createWorkspaceModule } from '#modules/workspace';
import type { Consumer } from '#platform/events';
import type { ResourceKind } from '#platform/resource-kind';
import { createMlflowProtocol, createMlflowWebhookFormat } from '../protocols/mlflow/index.ts';
import { createOpentelemetryProtocol } from '../protocols/opentelemetry/index.ts';
import type { Platform } from './platform.ts';

/** What the composition root knows of a module. */
export interface Module {
  readonly id: string;
  readonly consumers?: readonly Consumer[];
  routes(app: FastifyInstance): void;
  start?(): Promise<void>;
  stop?(): Promise<void>;
}

export interface Modules {
  /** In the order in which they start; they stop in the reverse. */
  readonly all: readonly Module[];
  readonly identity: IdentityModule;
  readonly projects: ProjectsModule;
  readonly audit: AuditModule;
  readonly jobs: JobsModule;
  readonly secrets: SecretsModule;
  readonly alerts: AlertsModule;
  /** What the pages of records read. */
  readonly records: {
    readonly tracking: TrackingApi;
    readonly registry: RegistryApi;
    readonly lineage: LineageApi;
    readonly traces: TracesApi;
  };
}

/** Builds the modules, each after those that it calls. */
export function createModules(platform: Platform): Modules {
  const { config, database, blobs, events, clock, ids, logger, python } = platform;
  const common = { database, blobs, events, clock, ids, logger };

  const auth = config.auth === 'on' ? ('required' as const) : ('open' as const);

  const projects = createProjectsModule(common);
  const identity = createIdentityModule({
    ...common,
    auth,
    adminTokenFile: platform.path('admin-token'),
  });
  const lineage = createLineageModule(common);
  const artifacts = createArtifactsModule({
    ...common,
    uploadLimitBytes: config.uploadLimitBytes,
    uploadIdleMs: config.uploadIdleMs,
  });
  const secrets = createSecretsModule({ ...common, keyFile: platform.path('secret.key') });
  const audit = createAuditModule({ ...common, log: events, consumers: platform.consumers });
  const approvals = createApprovalsModule({ ...common, lineage: lineage.api });
  const alerts = createAlertsModule({ ...common, lineage: lineage.api });
  const jobs = createJobsModule({
    ...common,
    artifacts: artifacts.api,
    identity: identity.api,
    secrets: secrets.api,
    folder: platform.path('attempts'),
    path: platform.environment['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    capacity: { cpu: config.jobCpus, memoryMb: config.jobMemoryMb },
    logDays: config.jobLogDays,
    worker: {
      processes: 1,
      tasksPerProcess: 4,
      idleMs: config.workerIdleMs,
      environment: platform.environment,
      arguments: [
        '--memory-mb',
        String(config.workerMemoryMb),
        '--threads',
        String(config.workerThreads),
        '--spill',
        platform.path('spill'),
      ],
    },
    ensurePython: (requirements, log, signal) => python.ensure(requirements, log, signal),
  });
  const datasets = createDatasetsModule({
    ...common,
    jobs: jobs.api,
    artifacts: artifacts.api,
    lineage: lineage.api,
    alerts: alerts.api,
  });
  const features = createFeaturesModule({ ...common, datasets: datasets.api, jobs: jobs.api });
  const predictions = createPredictionsModule({
    ...common,
    folder: platform.path('intake'),
    jobs: jobs.api,
    datasets: datasets.api,
    artifacts: artifacts.api,
    lineage: lineage.api,
    alerts: alerts.api,
  });
  const tracking = createTrackingModule({
    ...common,
    projects: projects.api,
    artifacts: artifacts.api,
    lineage: lineage.api,
    purgeAfterMs: config.purgeAfterMs,
  });
  const traces = createTracesModule({ ...common, tracking: tracking.api, lineage: lineage.api });
  const registry = createRegistryModule({
    ...common,
    approvals: approvals.api,
    artifacts: artifacts.api,
    lineage: lineage.api,
  });
  const graphs = createGraphsModule({
    ...common,
    registry: registry.api,
    lineage: lineage.api,
    alerts: alerts.api,
  });
  const evaluation = createEvaluationModule({
    ...common,
    jobs: jobs.api,
    registry: registry.api,
    tracking: tracking.api,
    lineage: lineage.api,
  });
  const pipelines = createPipelinesModule({
    ...common,
    baseUrl: platform.baseUrl,
    approvals: approvals.api,
    jobs: jobs.api,
    artifacts: artifacts.api,
    lineage: lineage.api,
    datasets: datasets.api,
    features: features.api,
    secrets: secrets.api,
    tracking: tracking.api,
    registry: registry.api,
    evaluation: evaluation.api,
  });
  const automation = createAutomationModule({
    ...common,
    pipelines: pipelines.api,
    alerts: alerts.api,
    secrets: secrets.api,
    lineage: lineage.api,
    webhookHosts: config.webhookHosts,
    formats: [createMlflowWebhookFormat(registry.api)],
  });
  const deployments = createDeploymentsModule({
    ...common,
    auth,
    registry: registry.api,
    predictions: predictions.api,
    artifacts: artifacts.api,
    lineage: lineage.api,
    identity: identity.api,
  });
  const monitoring = createMonitoringModule({
    ...common,
    predictions: predictions.api,
    deployments: deployments.api,
    registry: registry.api,
    jobs: jobs.api,
    alerts: alerts.api,
  });
  const rollouts = createRolloutsModule({
    ...common,
    deployments: deployments.api,
    registry: registry.api,
    alerts: alerts.api,
    lineage: lineage.api,
    pipelines: pipelines.api,
  });
  const mlflow = createMlflowProtocol({
    ...common,
    projects: projects.api,
    tracking: tracking.api,
    traces: traces.api,
    registry: registry.api,
    webhooks: automation.webhooks,
    evaluationDatasets: evaluation.datasets,
    scorers: evaluation.scorers,
    artifacts: artifacts.api,
    uploads: artifacts.uploads,
    signer: artifacts.signer,
    uploadIdleMs: config.uploadIdleMs,
    uploadLimitBytes: config.uploadLimitBytes,
  });

  const opentelemetry = createOpentelemetryProtocol({ ...common, traces: traces.api });

  const kinds = [
    datasets.kind,
    features.kind,
    pipelines.kind,
    graphs.kind,
    deployments.kind,
    monitoring.kind,
    automation.kind,
  ] as unknown as readonly ResourceKind<never>[];
  const workspace = createWorkspaceModule({
    ...common,
    kinds,
    artifacts: artifacts.api,
    lineage: lineage.api,
    projects: projects.api,
  });

  return {
    identity,
    projects,
    audit,
    jobs,
    secrets,
    alerts,
    records: { tracking: tracking.api, registry: registry.api, lineage: lineage.api, traces: traces.api },
    all: [
      projects,
      identity,
      lineage,
      audit,
      secrets,
      artifacts,
      alerts,
      approvals,
      jobs,
      datasets,
      features,
      predictions,
      tracking,
      traces,
      registry,
      graphs,
      evaluation,
      pipelines,
      deployments,
      monitoring,
      rollouts,
      automation,
      workspace,
      mlflow,
      opentelemetry,
    ],
  };
}
