import type { DeploymentSpec } from '#contracts/deployment-spec';
import type { DeploymentSpecDocument } from '#contracts/deployments';
import { formatReference, parseReference } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import { nearestName } from '#platform/errors';
import { addCounters, type Counters, noCounters } from './counters.ts';
import {
  deleteDeployment,
  findDeployment,
  listDeployments,
  listLoaded,
  listPoolDeployments,
  listShadows,
  replaceLoaded,
  replaceShadows,
  setSalt,
  upsertDeployment,
} from './deployment-store.ts';
import type { Deployment, LoadedRevision, Revision, Shadow } from './deployment-types.ts';
import type { DeploymentsDeps } from './deployments-deps.ts';
import { deploymentsErrors } from './deployments-errors.ts';
import { type Liveness, type Readiness, readinessOf } from './live-replicas.ts';
import { findPool } from './pool-store.ts';
import { ensurePool, publish } from './publication.ts';
import { checkRedaction } from './redaction-check.ts';
import { findGreatestEventMs, listReplicas, listRevisionCounters } from './replica-store.ts';
import type { ReportObserver, ReportService } from './report-service.ts';
import { ensureRevision, isServable, type NewRevision } from './revision-service.ts';
import { findRevisions, listFiles } from './revision-store.ts';
import { buildSpec, type EndpointParts } from './spec-builder.ts';

const whole = 10_000;

export interface TrafficChange {
  readonly project: string;
  readonly deployment: string;
  /** In the order in which shares are laid out: a canary stays last, so that it keeps its keys while it grows. */
  readonly weights: readonly { readonly revision: string; readonly basisPoints: number }[];
  /** To be loaded before it gets traffic. */
  readonly next?: string | undefined;
  /** Kept loaded, to return to at once. */
  readonly previous?: readonly string[];
  /** Mixed into sticky choices from now on; the same salt keeps them. */
  readonly salt?: string | undefined;
}

/** The door of `deployments`. Only `rollouts` calls what changes traffic. */
export interface DeploymentsApi {
  find(reader: Reader, project: string, name: string): Promise<Deployment | undefined>;
  /** DEPLOYMENT_NOT_FOUND. */
  get(reader: Reader, project: string, name: string): Promise<Deployment>;
  list(
    reader: Reader,
    project: string,
    page?: { readonly after?: string | undefined; readonly limit?: number | undefined },
  ): Promise<readonly Deployment[]>;
  /** Those whose `model:` names this model, whatever the alias or version. */
  following(reader: Reader, project: string, model: string): Promise<readonly Deployment[]>;
  /** The revision of a model version here; the same one again for the same version. MODEL_VERSION_NOT_SERVABLE. */
  createRevision(unit: Unit, revision: NewRevision): Promise<string>;
  /** Replaces what an endpoint holds loaded and how its traffic is split, and publishes it. TRAFFIC_INVALID. */
  setTraffic(unit: Unit, change: TrafficChange): Promise<void>;
  loaded(reader: Reader, project: string, name: string): Promise<readonly LoadedRevision[]>;
  /** REVISION_NOT_FOUND. */
  revision(reader: Reader, id: string): Promise<Revision>;
  /** How far a revision's loading has come over all live replicas. */
  readiness(
    reader: Reader,
    where: { readonly project: string; readonly deployment: string; readonly revision: string },
  ): Promise<Readiness>;
  /** What a revision did at all replicas since it was made, from their reports. */
  revisionCounters(reader: Reader, revision: string, role?: 'primary' | 'shadow'): Promise<Counters>;
  /** The greatest event time that the endpoint has answered; undefined before the first. */
  greatestEventMs(reader: Reader, project: string, name: string): Promise<number | undefined>;
  /** Registers what wants to act on reports, in their units; before the server starts. */
  observeReports(observer: ReportObserver): void;
  /** What a pool's replicas are told. POOL_NOT_FOUND. */
  spec(reader: Reader, pool: string): Promise<DeploymentSpec>;
}

/** Beside the door: what the module's own kind and consumers need. */
export interface DeploymentsService extends DeploymentsApi {
  declare(unit: Unit, project: string, name: string, spec: DeploymentSpecDocument | undefined): Promise<void>;
  /** Looks up shadows again whose model has a new version or another alias. */
  resolveShadows(unit: Unit, project: string, model: string): Promise<void>;
  /** Publishes to the pools whose callers may have changed. */
  republish(unit: Unit, pools: readonly string[]): Promise<void>;
}

export function createDeploymentsService(
  deps: Pick<DeploymentsDeps, 'auth' | 'registry' | 'artifacts' | 'lineage' | 'predictions' | 'identity' | 'clock'> & {
    readonly reports: ReportService;
    readonly liveness: Liveness;
  },
): DeploymentsService {
  const createRevision = async (unit: Unit, revision: NewRevision): Promise<string> => {
    const { spec } = await service.get(unit, revision.project, revision.deployment);
    return ensureRevision(unit, deps, { ...revision, replay: spec.clock === 'event' });
  };

  /** Undefined while there is no such version, or it cannot be served: a shadow never stands in the way. */
  async function findShadowRevision(unit: Unit, deployment: Deployment, text: string): Promise<string | undefined> {
    const reference = parseReference(text);
    if (reference?.at === undefined) return undefined;
    const { project, name } = deployment;
    const at = /^\d+$/.test(reference.at) ? Number(reference.at) : reference.at;
    const version = await deps.registry.version(unit, project, reference.name, at);
    if (version === undefined || !isServable(version)) return undefined;
    const revision = { project, deployment: name, model: reference.name, version: version.version };
    return ensureRevision(unit, deps, { ...revision, replay: deployment.spec.clock === 'event' });
  }

  async function storeShadows(unit: Unit, deployment: Deployment): Promise<boolean> {
    const { project, name, spec } = deployment;
    const before = await listShadows(unit, project, name);
    const after: Shadow[] = [];
    for (const declared of spec.shadows ?? []) {
      const [reference, sampleRate] =
        typeof declared === 'string' ? [declared, 1] : [declared.model, declared.sample_rate ?? 1];
      if (after.some((one) => one.reference === reference)) continue;
      after.push({ reference, sampleRate, revision: await findShadowRevision(unit, deployment, reference) });
    }
    if (JSON.stringify(before) === JSON.stringify(after)) return false;
    await replaceShadows(unit, project, name, after);
    return true;
  }

  const service: DeploymentsService = {
    find: findDeployment,

    async get(reader, project, name) {
      const found = await findDeployment(reader, project, name);
      if (found !== undefined) return found;
      const known = await listDeployments(reader, { project, limit: 1000 });
      throw deploymentsErrors.DEPLOYMENT_NOT_FOUND(
        name,
        nearestName(
          name,
          known.map((one) => one.name),
        ),
      );
    },

    list: (reader, project, page = {}) => listDeployments(reader, { project, ...page }),

    async following(reader, project, model) {
      const all = await listDeployments(reader, { project });
      return all.filter(({ spec }) => parseReference(spec.model)?.name === model);
    },

    createRevision,

    async setTraffic(unit, { project, deployment, weights, next, previous = [], salt }) {
      const { pool } = await service.get(unit, project, deployment);
      const sum = weights.reduce((total, { basisPoints }) => total + basisPoints, 0);
      if (weights.length > 0 && sum !== whole)
        throw deploymentsErrors.TRAFFIC_INVALID(`shares sum to ${sum} basis points, not to ${whole}`);
      const loaded: LoadedRevision[] = weights.map((weight) => ({ ...weight, role: 'live' }));
      const add = (revision: string, role: LoadedRevision['role']) => {
        if (!loaded.some((one) => one.revision === revision)) loaded.push({ revision, basisPoints: 0, role });
      };
      if (next !== undefined) add(next, 'next');
      for (const revision of previous) add(revision, 'previous');
      if (new Set(loaded.map(({ revision }) => revision)).size !== loaded.length)
        throw deploymentsErrors.TRAFFIC_INVALID('a revision is named twice');
      await replaceLoaded(unit, project, deployment, loaded);
      if (salt !== undefined) await setSalt(unit, project, deployment, salt);
      await publish(unit, pool);
    },

    loaded: listLoaded,

    async revision(reader, id) {
      const found = (await findRevisions(reader, [id])).get(id);
      if (found === undefined) throw deploymentsErrors.REVISION_NOT_FOUND(id);
      return found;
    },

    async readiness(reader, where) {
      const deployment = await service.get(reader, where.project, where.deployment);
      const replicas = await listReplicas(reader, deployment.pool);
      return readinessOf(replicas.filter(deps.liveness.isLive), where);
    },

    async revisionCounters(reader, revision, role = 'primary') {
      const all = await listRevisionCounters(reader, [revision]);
      return all.filter((one) => one.role === role).reduce<Counters>(addCounters, noCounters);
    },

    greatestEventMs: findGreatestEventMs,

    observeReports: (observer) => deps.reports.observe(observer),

    async spec(reader, poolName) {
      // Several statements read it; a change between them shows in the generation, and then it is read again.
      for (;;) {
        const pool = await findPool(reader, poolName);
        if (pool === undefined) throw deploymentsErrors.POOL_NOT_FOUND(poolName);
        const endpoints: EndpointParts[] = [];
        for (const deployment of await listPoolDeployments(reader, poolName)) {
          const { project, name } = deployment;
          const asks = deployment.spec.access === 'token' || deps.auth === 'required';
          endpoints.push({
            deployment,
            loaded: await listLoaded(reader, project, name),
            shadows: await listShadows(reader, project, name),
            tokens: asks ? await deps.identity.readerTokens(reader, project, deps.clock.nowMs()) : undefined,
          });
        }
        const ids = endpoints.flatMap(({ loaded, shadows }) => [
          ...loaded.map(({ revision }) => revision),
          ...shadows.flatMap(({ revision }) => revision ?? []),
        ]);
        const revisions = await findRevisions(reader, ids);
        const files = await listFiles(reader, ids);
        const after = await findPool(reader, poolName);
        if (after?.generation === pool.generation && after.epoch === pool.epoch)
          return buildSpec(pool, endpoints, revisions, files);
      }
    },

    async declare(unit, project, name, spec) {
      const before = await findDeployment(unit, project, name);
      if (spec === undefined) {
        if (before === undefined) return;
        await deleteDeployment(unit, project, name);
        await publish(unit, before.pool);
      } else {
        const pool = before?.pool ?? (await ensurePool(unit, deps)).pool;
        await upsertDeployment(unit, { project, name, pool, spec, salt: `${project}/${name}` });
        const declared = await service.get(unit, project, name);
        await checkRedaction(unit, deps.registry, declared);
        await storeShadows(unit, declared);
        // The log must know whether event times may lie ahead of receipt.
        if (before !== undefined && (before.spec.clock ?? 'wall') !== (spec.clock ?? 'wall'))
          for (const { revision } of await listLoaded(unit, project, name)) {
            const { model, version } = await service.revision(unit, revision);
            await registerAgain(unit, declared, revision, model, version);
          }
        await publish(unit, pool);
      }
      await unit.emit({
        type: 'deployment.changed',
        project,
        subject: formatReference('deployment', name),
        data: { deployment: name, generation: (before?.generation ?? 0) + 1 },
      });
    },

    async resolveShadows(unit, project, model) {
      for (const deployment of await listDeployments(unit, { project })) {
        const names = (deployment.spec.shadows ?? []).map((one) => (typeof one === 'string' ? one : one.model));
        if (!names.some((text) => parseReference(text)?.name === model)) continue;
        if (await storeShadows(unit, deployment)) await publish(unit, deployment.pool);
      }
    },

    async republish(unit, pools) {
      for (const pool of pools) await publish(unit, pool);
    },
  };

  async function registerAgain(
    unit: Unit,
    { project, name, spec }: Deployment,
    revision: string,
    model: string,
    version: number,
  ) {
    const found = await deps.registry.version(unit, project, model, version);
    const { score } = await service.revision(unit, revision);
    await deps.predictions.registerRevision(unit, {
      project,
      endpoint: name,
      replay: spec.clock === 'event',
      revision,
      model,
      version,
      score,
      signature: found?.signature,
    });
  }

  return service;
}
