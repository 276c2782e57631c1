import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { DeploymentSpec } from '#contracts/deployment-spec';
import type { DeploymentSpecDocument, DeploymentView } from '#contracts/deployments';
import type { ReplicaReport } from '#contracts/replica-report';
import type { RolloutView } from '#contracts/rollouts';
import { createAlertsModule } from '#modules/alerts';
import { createApprovalsModule } from '#modules/approvals';
import { createArtifactsModule } from '#modules/artifacts';
import { createDeploymentsModule } from '#modules/deployments';
import { createIdentityModule } from '#modules/identity';
import { createJobsModule } from '#modules/jobs';
import { createLineageModule } from '#modules/lineage';
import { createPredictionsModule } from '#modules/predictions';
import { createRegistryModule } from '#modules/registry';
import { createRolloutsModule } from '#modules/rollouts';
import { createSecretsModule } from '#modules/secrets';
import { createLocalBlobStore } from '#platform/blobs';
import type { Clock } from '#platform/clock';
import type { Database, Unit } from '#platform/database';
import { createConsumers, createEventLog } from '#platform/events';
import { createHttpServer } from '#platform/http';
import type { Ids } from '#platform/ids';
import { createLogger } from '#platform/log';
import type { Snapshot } from '#platform/resource-kind';

export const project = 'default';
const actor = { actor: 'user:test' };
const noSnapshot: Snapshot = { digest: '', files: [], readText: () => undefined };

/** The modules from the registry up to rollouts, as `app` puts them together, behind one HTTP edge. */
export type Control = Awaited<ReturnType<typeof startControl>>;

export interface ControlOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly auth?: 'open' | 'required';
  readonly folder?: string;
  /** Starts workers for the prediction log; without, nothing can be delivered. */
  readonly worker?: boolean;
}

export async function startControl(options: ControlOptions) {
  const { database, clock, ids, auth = 'open' } = options;
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'tidemill-deployments-'));
  const logger = createLogger({ level: 'silent' });
  const events = createEventLog(database);
  const blobs = createLocalBlobStore(join(folder, 'blobs'));
  const common = { database, blobs, events, clock, ids, logger };

  const identity = createIdentityModule({ ...common, auth });
  const lineage = createLineageModule(common);
  const artifacts = createArtifactsModule(common);
  const alerts = createAlertsModule({ ...common, lineage: lineage.api });
  const approvals = createApprovalsModule({ ...common, lineage: lineage.api });
  const jobs = createJobsModule({
    ...common,
    artifacts: artifacts.api,
    identity: identity.api,
    secrets: createSecretsModule({ database, keyFile: join(folder, 'secret.key') }).api,
    folder: join(folder, 'attempts'),
    path: '/usr/bin:/bin',
    capacity: { cpu: 2, memoryMb: 2048 },
    logDays: 90,
    worker: {
      processes: 1,
      tasksPerProcess: 4,
      idleMs: 5000,
      environment: {},
      arguments: ['--spill', join(folder, 'spill')],
    },
    ensurePython: () => Promise.reject(new Error('no step runs here')),
  });
  const predictions = createPredictionsModule({
    ...common,
    folder: join(folder, 'intake'),
    jobs: jobs.api,
    datasets: { version: async () => undefined, currentVersion: async () => undefined },
    artifacts: artifacts.api,
    lineage: lineage.api,
    alerts: alerts.api,
  });
  const registry = createRegistryModule({
    ...common,
    approvals: approvals.api,
    artifacts: artifacts.api,
    lineage: lineage.api,
  });
  const deployments = createDeploymentsModule({
    ...common,
    auth,
    registry: registry.api,
    artifacts: artifacts.api,
    lineage: lineage.api,
    identity: identity.api,
    predictions: predictions.api,
  });
  const rollouts = createRolloutsModule({
    ...common,
    deployments: deployments.api,
    registry: registry.api,
    alerts: alerts.api,
    lineage: lineage.api,
    pipelines: { completeStep: () => Promise.reject(new Error('no pipeline runs here')) },
  });

  const modules = [identity, lineage, artifacts, alerts, approvals, predictions, registry, deployments, rollouts];
  const app = await createHttpServer({
    logger,
    authenticate: identity.api.authenticate,
    allowedHosts: [],
    bodyLimitBytes: 1024 * 1024,
    checkAnswers: true,
  });
  const consumers = createConsumers({ ...common, log: events });
  for (const module of modules) {
    module.routes(app);
    for (const consumer of module.consumers) consumers.add(consumer);
  }
  await predictions.start();
  await deployments.start();
  if (options.worker === true) await jobs.start();
  await consumers.start();

  /** Bytes of a model, held as the registry would hold what a pipeline made. */
  async function storeModel(bytes: Uint8Array, path = 'model.onnx') {
    const stored = await blobs.putStream(Readable.from([Buffer.from(bytes)]));
    return { path, ...stored };
  }

  async function call(method: 'GET' | 'POST', url: string, body?: object, headers: Record<string, string> = {}) {
    const response = await app.inject({ method, url, headers, ...(body && { payload: body }) });
    return {
      status: response.statusCode,
      headers: response.headers,
      body: response.body === '' ? undefined : response.json(),
    };
  }

  return {
    app,
    blobs,
    events,
    consumers,
    folder,
    identity: identity.api,
    lineage: lineage.api,
    alerts: alerts.api,
    artifacts: artifacts.api,
    predictions: predictions.api,
    registry: registry.api,
    deployments: deployments.api,
    rollouts: rollouts.api,
    kind: deployments.kind,
    call,
    write: <T>(work: (unit: Unit) => Promise<T>): Promise<T> => database.write(actor, work),
    async stop() {
      await app.close();
      await consumers.stop();
      if (options.worker === true) await jobs.stop();
    },
    /** `tidemill apply` of one deployment. */
    async apply(name: string, after: DeploymentSpecDocument | undefined) {
      const before = (await deployments.kind.current(database.read, project)).get(name);
      await database.write(actor, (unit) =>
        deployments.kind.apply(unit, project, { name, before, after, snapshot: noSnapshot }),
      );
      await consumers.idle();
    },
    /** What a pipeline does at its end, without gates: the alias moves at once. */
    async promote(
      model: string,
      bytes: Uint8Array | string,
      more: {
        readonly signature?: object;
        readonly alias?: string;
        readonly score?: string;
        /** Of its inputs, kept beside it. */
        readonly example?: object;
      } = {},
    ) {
      const beside =
        more.example === undefined
          ? []
          : [await storeModel(Buffer.from(JSON.stringify(more.example)), 'serving_input_example.json')];
      const file = await storeModel(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
      const proposed = await database.write(actor, (unit) =>
        registry.api.proposeVersion(unit, {
          project,
          model,
          digest: file.sha256,
          files: [...beside, file],
          runtime: 'onnx',
          ...(more.signature && { signature: JSON.parse(JSON.stringify(more.signature)) }),
          predicts: { kind: 'binary', score: more.score ?? 'probabilities[1]' },
          alias: more.alias ?? 'champion',
          checks: [],
        }),
      );
      await consumers.idle();
      return proposed;
    },
    async spec(): Promise<DeploymentSpec> {
      return (await call('GET', '/data-plane/pools/default/spec')).body;
    },
    /** The spec after this one, as a data plane waits for it. */
    async specAfter({ epoch, generation }: DeploymentSpec): Promise<DeploymentSpec> {
      const ifNoneMatch = { 'if-none-match': `"${epoch}.${generation}"` };
      return (await call('GET', '/data-plane/pools/default/spec?wait=30', undefined, ifNoneMatch)).body;
    },
    async endpoint(name: string) {
      const spec = (await call('GET', '/data-plane/pools/default/spec')).body as DeploymentSpec;
      const found = spec.endpoints.find((one) => one.name === name);
      if (found === undefined) throw new Error(`no endpoint ${name}`);
      return found;
    },
    async report(report: ReplicaReport) {
      const answer = await call('POST', `/data-plane/replicas/${report.replica}/report`, report);
      await consumers.idle();
      return answer.status;
    },
    async deployment(name: string): Promise<DeploymentView> {
      return (await call('GET', `/api/v1/deployments/${name}`)).body;
    },
    async latestRollout(name: string): Promise<RolloutView | undefined> {
      return (await call('GET', `/api/v1/rollouts?deployment=${name}&limit=1`)).body.items[0];
    },
    async typesOf(subject: string) {
      const list = await events.list({ project, subject, limit: 500, order: 'asc' });
      return list.map(({ type }) => type);
    },
  };
}

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');
