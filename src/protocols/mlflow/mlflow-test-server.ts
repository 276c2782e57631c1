import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { createAlertsModule } from '#modules/alerts';
import { createApprovalsModule } from '#modules/approvals';
import { createArtifactsModule } from '#modules/artifacts';
import { createAutomationModule } from '#modules/automation';
import { createEvaluationModule } from '#modules/evaluation';
import { createLineageModule, type LineageApi } from '#modules/lineage';
import { createProjectsModule, type ProjectsApi } from '#modules/projects';
import { createRegistryModule, type RegistryApi } from '#modules/registry';
import { createSecretsModule } from '#modules/secrets';
import { createTracesModule, type TracesApi } from '#modules/traces';
import { createTrackingModule, type TrackingApi } from '#modules/tracking';
import { type BlobStore, createLocalBlobStore } from '#platform/blobs';
import type { Clock } from '#platform/clock';
import type { Database } from '#platform/database';
import { type Authenticate, createHttpServer, type Principal, type SensitiveRead } from '#platform/http';
import type { Ids } from '#platform/ids';
import { createLogger } from '#platform/log';
import { createOpentelemetryProtocol } from '../opentelemetry/index.ts';
import { type AreaName, conformanceTable } from './conformance/conformance-table.ts';
import { foreignMlflowErrors } from './mlflow-errors.ts';
import { createMlflowProtocol, unknownCall } from './mlflow-protocol.ts';
import { createMlflowWebhookFormat } from './webhook-format.ts';
import { workspaceHeader } from './workspace-header.ts';

export interface MlflowTestServer {
  readonly app: FastifyInstance;
  readonly projects: ProjectsApi;
  readonly tracking: TrackingApi;
  readonly registry: RegistryApi;
  readonly traces: TracesApi;
  readonly lineage: LineageApi;
  /** The calls of MLflow's API that are registered, with their prefix: `GET /api/2.0/mlflow/runs/get`. */
  readonly calls: ReadonlySet<string>;
  /** What an area's table calls supported and no request has yet been answered 2xx for. */
  unanswered(area: AreaName): readonly string[];
  /** Lists the runs at rest now, which the started module does in its own time. */
  readonly listRuns: () => Promise<unknown>;
}

const noJobs = () => Promise.reject(new Error('there are no jobs here'));
const noPipelines = () => Promise.reject(new Error('there are no pipelines here'));
const local: Principal = { id: 'user:local', can: () => true };

/** The adapter over the real modules that it needs, on a given database, for tests and measurements. */
export async function createMlflowTestServer(options: {
  readonly database: Database;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Default: everybody may do everything. */
  readonly authenticate?: Authenticate;
  /** Hears what the audit log would. */
  readonly onSensitive?: (read: SensitiveRead) => Promise<void>;
  /** Default: a local folder. */
  readonly blobs?: BlobStore;
  readonly uploadLimitBytes?: number;
  readonly uploadIdleMs?: number;
}): Promise<MlflowTestServer> {
  const { database, clock, ids, authenticate = async () => local } = options;
  const logger = createLogger({ level: 'error' });
  const { uploadLimitBytes = Number.MAX_SAFE_INTEGER, uploadIdleMs = 60_000 } = options;
  const blobs = options.blobs ?? createLocalBlobStore(mkdtempSync(join(tmpdir(), 'tidemill-blobs-')));
  const { api: projects } = createProjectsModule({ database });
  const { api: lineage } = createLineageModule({ database });
  const bounds = { uploadLimitBytes, uploadIdleMs };
  const { api: artifacts, uploads, signer } = createArtifactsModule({ database, blobs, clock, logger, ...bounds });
  const tracking = createTrackingModule({ database, ids, clock, logger, projects, artifacts, lineage });
  const traces = createTracesModule({ database, ids, tracking: tracking.api, lineage });
  const registry = createRegistryModule({
    database,
    ids,
    artifacts,
    lineage,
    approvals: createApprovalsModule({ database, lineage }).api,
  });
  const app = await createHttpServer({
    logger,
    authenticate,
    allowedHosts: [],
    bodyLimitBytes: 1024 * 1024,
    projectHeader: workspaceHeader,
    foreignErrors: foreignMlflowErrors,
    requireProject: async (project) => void (await projects.get(database.read, project)),
    checkAnswers: true,
    ...(options.onSensitive && { onSensitive: options.onSensitive }),
  });
  const evaluation = createEvaluationModule({
    database,
    registry: registry.api,
    tracking: tracking.api,
    lineage,
    jobs: { submit: noJobs, get: noJobs },
  });
  const automation = createAutomationModule({
    database,
    clock,
    logger,
    lineage,
    alerts: createAlertsModule({ database, lineage }).api,
    secrets: createSecretsModule({ database, keyFile: join(mkdtempSync(join(tmpdir(), 'tidemill-key-')), 'key') }).api,
    // nothing is triggered here
    pipelines: { run: noPipelines, completeStep: noPipelines, get: noPipelines },
    webhookHosts: ['127.0.0.1'],
    formats: [createMlflowWebhookFormat(registry.api)],
  });
  const protocol = createMlflowProtocol({
    database,
    ids,
    blobs,
    projects,
    artifacts,
    uploads,
    signer,
    ...bounds,
    tracking: tracking.api,
    traces: traces.api,
    registry: registry.api,
    webhooks: automation.webhooks,
    evaluationDatasets: evaluation.datasets,
    scorers: evaluation.scorers,
  });
  for (const part of [tracking, traces, registry]) part.routes(app);
  const { calls, answered } = watchCalls(app);
  for (const part of [protocol, createOpentelemetryProtocol({ database, traces: traces.api })]) part.routes(app);
  await tracking.start();
  app.addHook('onClose', () => tracking.stop());
  await app.ready();
  return {
    app,
    projects,
    tracking: tracking.api,
    registry: registry.api,
    traces: traces.api,
    lineage,
    listRuns: () => tracking.listRuns(),
    calls,
    unanswered: (area) =>
      conformanceTable[area].endpoints
        .filter(({ state, refused, call }) => state !== 'not yet' && refused === undefined && !answered.has(call))
        .map(({ call }) => call),
  };
}

/** The calls that are registered from now on, and those that were answered with success, these without their prefix. */
function watchCalls(app: FastifyInstance) {
  const calls = new Set<string>();
  const answered = new Set<string>();
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.access?.id === unknownCall || url.startsWith('/api/v1/')) return; // ours, not MLflow's
    for (const one of [method].flat()) if (one !== 'HEAD') calls.add(`${one} ${url}`);
  });
  app.addHook('onResponse', async ({ method, routeOptions: { url = '' } }, { statusCode }) => {
    if (statusCode >= 200 && statusCode < 300) answered.add(`${method} ${url.replace(/^\/(?:ajax-)?api(?=\/)/, '')}`);
  });
  return { calls, answered };
}
