import { mkdir, rm } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import type { Consumer } from '#platform/events';
import { createCompaction } from './compaction-service.ts';
import { sumCounts } from './counts-read.ts';
import { advanceTruth, ensureEndpoint, findEndpoint, insertRevision, listRevisions } from './endpoint-store.ts';
import { createIntake } from './intake-service.ts';
import { createLookup } from './lookup-service.ts';
import { tellDropped } from './loss.ts';
import type { PredictionsApi } from './predictions-api.ts';
import type { PredictionsDeps } from './predictions-deps.ts';
import { registerPredictionRoutes } from './predictions-routes.ts';
import { replicaLiveMs, reportProgress } from './progress-service.ts';
import { findFirstEvent, listSegments, type Segment, sizeOfLog } from './segment-store.ts';
import { listBehind } from './spool-store.ts';
import { createTruthService } from './truth-service.ts';
import { deleteBinding, findBinding, listBindings, putBinding } from './truth-store.ts';
import { createUpkeep, type Upkeep } from './upkeep-service.ts';
import { countWaiting } from './waiting-store.ts';

export interface PredictionsModule {
  readonly id: 'predictions';
  readonly api: PredictionsApi;
  readonly consumers: readonly Consumer[];
  /** Runs by itself between `start` and `stop`. */
  readonly upkeep: Pick<Upkeep, 'settle' | 'expireTruth'>;
  routes(app: FastifyInstance): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createPredictionsModule(deps: PredictionsDeps): PredictionsModule {
  const { database, clock } = deps;
  const intake = createIntake(deps);
  const truth = createTruthService(deps);
  const compaction = createCompaction(deps);
  const lookup = createLookup(deps);
  const upkeep = createUpkeep(deps);
  deps.lineage.registerResolver('prediction', lookup.resolvePrediction);
  deps.lineage.registerResolver('revision', lookup.resolveRevision);

  const api: PredictionsApi = {
    async registerRevision(unit, revision) {
      await ensureEndpoint(unit, revision.project, revision.endpoint, revision.replay ?? false);
      await insertRevision(unit, revision);
    },
    revisions: listRevisions,
    reportProgress: (unit, report) => reportProgress(unit, deps.alerts, report),
    reportLoss: (unit, loss) => tellDropped(unit, deps.alerts, loss),
    async progress(reader, project, endpoint) {
      const found = await findEndpoint(reader, project, endpoint);
      if (found === undefined) return undefined;
      return {
        ...(await sizeOfLog(reader, project, endpoint)),
        settledMs: found.settledMs,
        caughtUp: !(await listBehind(reader, clock.nowMs() - replicaLiveMs)).some(
          (one) => one.project === project && one.endpoint === endpoint,
        ),
        truthWaiting: await countWaiting(reader, project, endpoint),
        truthUnmatched: found.unmatched,
        truthPending: await truth.isPending(reader, project, endpoint),
      };
    },
    async watermark(reader, project, endpoint) {
      return (await findEndpoint(reader, project, endpoint))?.settledMs;
    },
    async rows(reader, range) {
      return {
        rows: distinctFiles(await listSegments(reader, range, 'rows')),
        truths: distinctFiles(await listSegments(reader, range, 'truth')),
      };
    },
    firstEvent: findFirstEvent,
    counts: sumCounts,
    async bindTruth(unit, binding) {
      const known = await findBinding(unit, binding.project, binding.name);
      if (known !== undefined && isSame(known, binding)) return;
      await ensureEndpoint(unit, binding.project, binding.endpoint);
      await putBinding(unit, binding);
      // a match that is under way reads by what was bound before: it must begin again
      const endpoint = await findEndpoint(unit, binding.project, binding.endpoint);
      if (endpoint !== undefined) await advanceTruth(unit, endpoint);
      await unit.emit({
        type: 'truth.bound',
        project: binding.project,
        subject: `deployment:${binding.endpoint}`,
        data: { endpoint: binding.endpoint, binding: binding.name, dataset: binding.dataset },
      });
    },
    unbindTruth: deleteBinding,
    pushTruth: truth.pushTruth,
  };

  const consumers: readonly Consumer[] = [
    {
      name: 'predictions.truth',
      types: ['dataset.version.created', 'truth.bound', 'prediction.chunk.taken', 'truth.recorded'],
      async deliver(event) {
        const context = { actor: 'system:predictions.truth', cause: event.id };
        if (event.type === 'dataset.version.created') {
          const bindings = await listBindings(database.read, event.project, { dataset: event.data.dataset });
          for (const endpoint of new Set(bindings.map((binding) => binding.endpoint)))
            await truth.matchPending(context, event.project, endpoint);
        } else if (
          event.type === 'truth.bound' ||
          event.type === 'prediction.chunk.taken' ||
          event.type === 'truth.recorded'
        )
          await truth.matchPending(context, event.project, event.data.endpoint);
      },
    },
    {
      name: 'predictions.compaction',
      types: ['prediction.settled'],
      async deliver(event) {
        if (event.type !== 'prediction.settled') return;
        const context = { actor: 'system:predictions.compaction', cause: event.id };
        await compaction.compactDays(context, event.project, event.data.endpoint, event.data.settledMs);
      },
    },
  ];

  return {
    id: 'predictions',
    api,
    consumers,
    upkeep,
    routes: (app) =>
      registerPredictionRoutes(app, {
        database,
        clock,
        api,
        lookup,
        take: (context, delivery) => intake.take(context, delivery),
      }),
    async start() {
      // what an earlier process was reading has never been acknowledged
      await rm(deps.folder, { recursive: true, force: true });
      await mkdir(deps.folder, { recursive: true });
      upkeep.start();
    },
    stop: () => upkeep.stop(),
  };
}

function isSame(a: Parameters<PredictionsApi['bindTruth']>[1], b: Parameters<PredictionsApi['bindTruth']>[1]): boolean {
  const textOf = ({ endpoint, dataset, key, time, value }: typeof a) =>
    JSON.stringify([endpoint, dataset, key, time, value]);
  return textOf(a) === textOf(b);
}

function distinctFiles(segments: readonly Segment[]) {
  const files = new Map(
    segments.map(({ sha256, sizeBytes, minId, maxId }) => [sha256, { sha256, sizeBytes, minId, maxId }]),
  );
  return [...files.values()];
}
