import type { FastifyInstance } from 'fastify';
import { type AlertView, listAlerts } from '#contracts/alerts';
import { listTriggers, type TriggerView, webhookEventTypes } from '#contracts/automation';
import { type DatasetView, listDatasets } from '#contracts/datasets';
import { type DeploymentView, listDeployments, listRevisions, type RevisionView } from '#contracts/deployments';
import { type EvaluationView, listEvaluations } from '#contracts/evaluation';
import { type EventOnWire, listEvents } from '#contracts/event-operations';
import { listMonitors, listWindows, type MonitorView, type WindowView } from '#contracts/monitoring';
import { getOverview, type Overview } from '#contracts/overview';
import { getRun, listPipelines, type PipelineView, type RunView } from '#contracts/pipelines';
import { getProject, type ProjectView } from '#contracts/projects';
import { listModels, listModelVersions, type ModelVersionView, type RegisteredModelView } from '#contracts/registry';
import { listRollouts, type RolloutView } from '#contracts/rollouts';
import { registerOperation } from '#platform/http';
import { type Ask, createAsk } from './ask.ts';
import { viewMonitor } from './monitor-history.ts';

/**
 * The read model behind the page. It is put together from the answers of the operations themselves, asked as the caller:
 * it shows what they show, to whom they show it, and no module needs a second way to be read.
 */
export function registerOverview(app: FastifyInstance): void {
  registerOperation(app, getOverview, async ({ context, request }, answer) => {
    const { project } = context;
    const ask = createAsk(app, project, request);
    const [goal, datasets, pipelines, models, deployments, monitors, triggers, alerts, events] = await Promise.all([
      ask.one<ProjectView>(getProject, { name: project }),
      ask.list<DatasetView>(listDatasets),
      readPipelines(ask),
      readModels(ask),
      readDeployments(ask),
      readMonitors(ask),
      ask.list<TriggerView>(listTriggers),
      ask.list<AlertView>(listAlerts, {}, { limit: 8 }),
      // those that people care for, not the inner works
      ask.list<EventOnWire>(listEvents, {}, { limit: 14, type: webhookEventTypes }),
    ]);
    return answer(200, {
      project,
      ...(goal?.goal !== undefined && { goal: goal.goal }),
      datasets: datasets.filter(({ spec }) => spec !== undefined).map(viewDataset),
      pipelines,
      models,
      deployments,
      monitors,
      triggers: triggers.map(viewTrigger),
      alerts: alerts.map(viewAlert),
      events: [...events],
    });
  });
}

const viewDataset = ({ name, current, ingesting }: DatasetView): Overview['datasets'][number] => ({
  name,
  ingesting,
  ...(current !== undefined && {
    version: current.version,
    parts: current.parts,
    landedAt: current.createdAt,
    ...(current.rows !== undefined && { rows: current.rows }),
    ...(current.timeMin !== undefined && { timeMin: current.timeMin }),
    ...(current.timeMax !== undefined && { timeMax: current.timeMax }),
  }),
});

async function readPipelines(ask: Ask): Promise<Overview['pipelines']> {
  const pipelines = await ask.list<PipelineView>(listPipelines);
  return await Promise.all(
    pipelines.map(async ({ name, lastRun }) => {
      const run = lastRun && (await ask.one<RunView>(getRun, { runId: lastRun.id }));
      return { name, ...(run !== undefined && { lastRun: viewRun(run) }) };
    }),
  );
}

const viewRun = (run: RunView): NonNullable<Overview['pipelines'][number]['lastRun']> => ({
  id: run.id,
  state: run.state,
  trigger: run.trigger,
  createdAt: run.createdAt,
  ...(run.endedAt !== undefined && { endedAt: run.endedAt }),
  ...(run.result !== undefined && { model: `model:${run.result.model}@${run.result.version}` }),
  ...(run.result?.verdict !== undefined && { verdict: run.result.verdict }),
  ...(run.error !== undefined && { error: run.error }),
  steps: run.steps.map(({ step, state, why, startedAt, endedAt, error }) => ({
    name: step,
    state,
    ...(state === 'waiting' && why !== undefined && { why }),
    ...(startedAt !== undefined && { startedAt }),
    ...(endedAt !== undefined && { endedAt }),
    ...(error !== undefined && { error }),
  })),
});

async function readModels(ask: Ask): Promise<Overview['models']> {
  const models = await ask.list<RegisteredModelView>(listModels);
  return await Promise.all(
    models.map(async ({ name }) => {
      const [versions, evaluations] = await Promise.all([
        ask.list<ModelVersionView>(listModelVersions, { model: name }),
        ask.list<EvaluationView>(listEvaluations, {}, { model: name }),
      ]);
      const latest = versions[0]?.version;
      const champion = versions.find(({ aliases }) => aliases.includes('champion'));
      return {
        name,
        ...(latest !== undefined && { latestVersion: latest }),
        ...(champion !== undefined && { champion: viewChampion(champion, evaluations) }),
      };
    }),
  );
}

function viewChampion(
  { version, createdAt, run }: ModelVersionView,
  evaluations: readonly EvaluationView[],
): NonNullable<Overview['models'][number]['champion']> {
  const judged = evaluations.find((evaluation) => evaluation.version === version && evaluation.state === 'decided');
  return {
    version,
    createdAt,
    ...(run !== undefined && { run }),
    ...(judged?.verdict !== undefined && { verdict: judged.verdict }),
    ...(judged?.result !== undefined && { n: judged.result.n, metrics: judged.result.candidate }),
  };
}

async function readDeployments(ask: Ask): Promise<Overview['deployments']> {
  const deployments = await ask.list<DeploymentView>(listDeployments);
  return await Promise.all(
    deployments.map(async ({ name, status }) => {
      const [revisions, [rollout]] = await Promise.all([
        ask.list<RevisionView>(listRevisions, { name }),
        ask.list<RolloutView>(listRollouts, {}, { deployment: name, limit: 1 }),
      ]);
      return {
        name,
        state: status.state,
        ...(status.reason !== undefined && { reason: status.reason }),
        traffic: status.traffic.map(({ model, version, basisPoints }) => ({ model, version, basisPoints })),
        shadows: status.shadows.map(({ reference }) => reference),
        requests: revisions.reduce((sum, { requests }) => sum + requests, 0),
        errors: revisions.reduce((sum, { errors }) => sum + errors, 0),
        ...(rollout !== undefined && {
          rollout: {
            state: rollout.state,
            version: rollout.version,
            percent: rollout.percent,
            reason: rollout.reason,
            startedAt: rollout.startedAt,
            ...(rollout.endedAt !== undefined && { endedAt: rollout.endedAt }),
          },
        }),
      };
    }),
  );
}

async function readMonitors(ask: Ask): Promise<Overview['monitors']> {
  const monitors = await ask.list<MonitorView>(listMonitors);
  return await Promise.all(
    monitors.map(async (monitor) =>
      viewMonitor(monitor, await ask.list<WindowView>(listWindows, { name: monitor.name }, { limit: 250 })),
    ),
  );
}

const viewTrigger = ({ name, spec, nextAt, lastFiring }: TriggerView): Overview['triggers'][number] => ({
  name,
  when: spec.on ?? `${spec.cron} ${spec.zone ?? 'UTC'}`,
  run: spec.run,
  ...(nextAt !== undefined && { nextAt }),
  ...(lastFiring !== undefined && {
    last: {
      state: lastFiring.state,
      at: lastFiring.at,
      clockAt: lastFiring.clockAt,
      ...(lastFiring.reason !== undefined && { reason: lastFiring.reason }),
    },
  }),
});

const viewAlert = (alert: AlertView): Overview['alerts'][number] => ({
  id: alert.id,
  reference: alert.reference,
  severity: alert.severity,
  title: alert.title,
  state: alert.state,
  count: alert.count,
  openedAt: alert.openedAt,
  lastSeenAt: alert.lastSeenAt,
  ...(alert.resolvedAt !== undefined && { resolvedAt: alert.resolvedAt }),
  ...(alert.resolvedReason !== undefined && { resolvedReason: alert.resolvedReason }),
  ...noteOf(alert.evidence),
});

function noteOf(evidence: unknown): { readonly note?: string } {
  if (typeof evidence !== 'object' || evidence === null || !('note' in evidence)) return {};
  return typeof evidence.note === 'string' ? { note: evidence.note } : {};
}
