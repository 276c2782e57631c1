import type { FastifyInstance } from 'fastify';
import {
  cancelRun,
  completeStep,
  explainStep,
  getPipeline,
  getRun,
  listPipelines,
  listRuns,
  type PipelineView,
  type RunSummary,
  type RunView,
  type StepView,
  startRun,
} from '#contracts/pipelines';
import { toRfc3339 } from '#contracts/rfc3339';
import type { BlobStore } from '#platform/blobs';
import type { Database, Reader } from '#platform/database';
import { nearestName } from '#platform/errors';
import type { EventLog } from '#platform/events';
import { registerOperation } from '#platform/http';
import { readUntil } from '#platform/read-until';
import { decodeCursor, encodeCursor } from '#platform/sql';
import { differences } from './cache-key.ts';
import { listEarlierParts } from './cache-store.ts';
import { isItem } from './item-names.ts';
import { pipelinesErrors } from './pipelines-errors.ts';
import type { PipelinesService } from './pipelines-service.ts';
import { listPipelines as listStored, listRuns as listStoredRuns, type StoredPipeline } from './pipelines-store.ts';
import { readSnapshot, type SnapshotDeps } from './read-snapshot.ts';
import type { Run, Step } from './run-types.ts';

const defaultLimit = 50;

async function viewOf(reader: Reader, project: string, stored: StoredPipeline): Promise<PipelineView> {
  const [last] = await listStoredRuns(reader, { project, pipeline: stored.name, limit: 1 });
  return {
    name: stored.name,
    spec: stored.spec,
    generation: stored.generation,
    updatedAt: toRfc3339(stored.updatedMs),
    ...(last && { lastRun: toSummary(last) }),
  };
}

export function registerPipelineRoutes(
  app: FastifyInstance,
  deps: {
    readonly database: Database;
    readonly pipelines: Pick<PipelinesService, 'get' | 'run' | 'cancel' | 'completeExternal'>;
    readonly events: EventLog;
    readonly blobs: BlobStore;
    readonly artifacts: SnapshotDeps['artifacts'];
  },
): void {
  const { database, pipelines } = deps;

  registerOperation(app, listPipelines, async ({ context }, answer) => {
    const stored = await listStored(database.read, context.project);
    return answer(200, {
      items: await Promise.all(stored.map((item) => viewOf(database.read, context.project, item))),
    });
  });

  registerOperation(app, getPipeline, async ({ params, context }, answer) => {
    const stored = await listStored(database.read, context.project);
    const found = stored.find(({ name }) => name === params.name);
    if (found === undefined)
      throw pipelinesErrors.PIPELINE_NOT_FOUND(
        params.name,
        nearestName(
          params.name,
          stored.map(({ name }) => name),
        ),
      );
    return answer(200, await viewOf(database.read, context.project, found));
  });

  registerOperation(app, startRun, async ({ params, body, context }, answer) => {
    const code = body.snapshot === undefined ? undefined : await readSnapshot(deps, context.project, body.snapshot);
    const runId = await database.write(context.write, (unit) =>
      pipelines.run(unit, {
        project: context.project,
        pipeline: params.name,
        trigger: context.principal.id,
        ...(body.params !== undefined && { params: body.params }),
        ...(code !== undefined && { code }),
        ...(body.cache !== undefined && { useCache: body.cache }),
      }),
    );
    return answer(201, toView(await pipelines.get(database.read, context.project, runId)));
  });

  registerOperation(app, listRuns, async ({ query, context }, answer) => {
    const limit = query.limit ?? defaultLimit;
    const found = await listStoredRuns(database.read, {
      project: context.project,
      limit: limit + 1,
      ...(query.pipeline !== undefined && { pipeline: query.pipeline }),
      ...(query.state !== undefined && { state: query.state }),
      ...(query.cursor !== undefined && { beforeId: String(decodeCursor(query.cursor)[0]) }),
    });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return answer(200, {
      items: items.map(toSummary),
      ...(found.length > limit && last !== undefined && { next: encodeCursor([last.id]) }),
    });
  });

  registerOperation(app, getRun, async ({ params, query, context }, answer) => {
    const found = await readUntil({
      events: deps.events,
      read: () => pipelines.get(database.read, context.project, params.runId),
      isOver: ({ run }) => run.state !== 'running',
      concerns: (event) => event.type === 'pipeline.run.finished' && event.data.runId === params.runId,
      waitMs: (query.wait ?? 0) * 1000,
      signal: context.signal,
    });
    return answer(200, toView(found));
  });

  registerOperation(app, cancelRun, async ({ params, context }, answer) => {
    await database.write(context.write, (unit) => pipelines.cancel(unit, context.project, params.runId));
    return answer(200, toView(await pipelines.get(database.read, context.project, params.runId)));
  });

  registerOperation(app, completeStep, async ({ params, body, context }, answer) => {
    const answered = { project: context.project, ...params, ...body };
    const step = await database.write(context.write, (unit) => pipelines.completeExternal(unit, answered));
    return answer(200, toStepView(step));
  });

  registerOperation(app, explainStep, async ({ params, context }, answer) => {
    const { run, steps } = await pipelines.get(database.read, context.project, params.runId);
    const step = steps.find(({ name }) => name === params.step);
    if (step === undefined) throw pipelinesErrors.STEP_NOT_FOUND(params.step, params.runId);
    const earlier = (await listEarlierParts(database.read, run, [step.name])).get(step.name);
    const parts = step.keyParts ?? step.plan.keyParts;
    return answer(200, {
      step: step.name,
      state: step.state,
      ...(step.key !== undefined && { key: step.key }),
      parts,
      why: step.why ?? step.error?.message ?? 'it has not started yet',
      differs: (earlier === undefined ? [] : differences(earlier, parts)).map(({ part, before, now }) => ({
        part,
        ...(before !== undefined && { before }),
        ...(now !== undefined && { now }),
      })),
    });
  });
}

function toSummary(run: Run): RunSummary {
  return {
    id: run.id,
    pipeline: run.pipeline,
    state: run.state,
    ...(run.cancelling && { cancelling: true }),
    trigger: run.trigger,
    params: { ...run.params },
    inputs: [...run.inputs],
    ...(run.result && { result: run.result }),
    ...(run.error && { error: run.error }),
    ...(run.trackingRunId !== undefined && { trackingRunId: run.trackingRunId }),
    createdAt: toRfc3339(run.createdMs),
    ...(run.endedMs !== undefined && { endedAt: toRfc3339(run.endedMs) }),
  };
}

function toView({ run, steps }: { readonly run: Run; readonly steps: readonly Step[] }): RunView {
  return { ...toSummary(run), steps: steps.map(toStepView) };
}

function toStepView(step: Step): StepView {
  return {
    step: step.name,
    kind: step.kind,
    state: step.state,
    needs: [...step.needs],
    ...(isItem(step.name) && step.plan.each !== undefined && { each: { ...step.plan.each } }),
    ...(step.why !== undefined && { why: step.why }),
    ...(step.jobId !== undefined && { jobId: step.jobId }),
    ...(step.trackingRunId !== undefined && { trackingRunId: step.trackingRunId }),
    outputs: Object.fromEntries(
      Object.entries(step.outputs).map(([name, { sha256, sizeBytes, kind, dataset }]) => [
        name,
        { sha256, sizeBytes, kind, ...(dataset !== undefined && { dataset }) },
      ]),
    ),
    ...(step.error && { error: step.error }),
    ...(step.deadlineMs !== undefined && { deadlineAt: toRfc3339(step.deadlineMs) }),
    ...(step.startedMs !== undefined && { startedAt: toRfc3339(step.startedMs) }),
    ...(step.endedMs !== undefined && { endedAt: toRfc3339(step.endedMs) }),
  };
}
