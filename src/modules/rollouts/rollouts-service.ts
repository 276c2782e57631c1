import { parseDuration } from '#contracts/duration';
import { formatReference, parseReference } from '#contracts/references';
import type { RolloutEvidence, RolloutWait } from '#contracts/rollouts';
import type { Deployment } from '#modules/deployments';
import type { Reader, Unit } from '#platform/database';
import { isAppError } from '#platform/errors';
import {
  type Baseline,
  decideRollout,
  evidenceSince,
  type RolloutFacts,
  type RolloutPlan,
  type RolloutProgress,
  splitTraffic,
  waitsForFlush,
} from './rollout-rules.ts';
import {
  findActive,
  findLatest,
  findRollout,
  insertRollout,
  isActive,
  isUnderWay,
  isUndone,
  listRollouts,
  type Rollout,
  updateRollout,
} from './rollout-store.ts';
import type { RolloutsDeps } from './rollouts-deps.ts';
import { rolloutsErrors } from './rollouts-errors.ts';

/*
 * Every change of an endpoint's weights is a rollout of one model version:
 *
 *   warming ── ready at every live replica ──► stepping ── evidence of each step ──► completed ── one step more ──► (set before let go)
 *      │                                          │                                     │
 *      ├── cannot be loaded ──► aborted           ├── abort_when, cannot be loaded,     └── abort_when, cannot be loaded,
 *      │                                          │   by hand ──► aborted                   rollback ──► rolled-back
 *      └──────── another version is to be rolled out ──► superseded ◄─┘
 *
 * The first revision of an endpoint goes from warming to completed at once. What ends a step is decided on each report
 * of a replica, in the unit that stores it: nothing polls, and a crash leaves either the whole transition or nothing.
 * An abort puts the weights back, reverts the promotion that moved the alias, and alerts; the version is not rolled out
 * again by itself. A new version during a rollout supersedes it: traffic returns to the complete set, and the new one
 * begins from there.
 */
export interface RolloutsApi {
  /** ROLLOUT_NOT_FOUND. */
  get(reader: Reader, project: string, id: string): Promise<Rollout>;
  list: typeof listRollouts;
  /** The one under way, or complete with the set before still warm. */
  active(reader: Reader, project: string, deployment: string): Promise<Rollout | undefined>;
  /** What its current step has shown at an instant of the wall clock, and what it waits for. */
  standing(reader: Reader, rollout: Rollout, nowMs: number): Promise<RolloutStanding>;
  /** All traffic now. ROLLOUT_STATE_CONFLICT, ROLLOUT_NOT_READY. */
  promote(unit: Unit, project: string, id: string, reason: string): Promise<Rollout>;
  /** ROLLOUT_STATE_CONFLICT. */
  abort(unit: Unit, project: string, id: string, reason: string): Promise<Rollout>;
  /** Back to the last complete set. DEPLOYMENT_NOT_FOUND, ROLLBACK_IMPOSSIBLE. */
  rollback(unit: Unit, project: string, deployment: string, reason: string): Promise<Rollout>;
}

export interface RolloutStanding {
  readonly evidence?: RolloutEvidence;
  readonly waitsFor?: RolloutWait;
  /** Newer than the one that the last report has left. */
  readonly reason?: string;
}

export interface RolloutsService extends RolloutsApi {
  /** Starts what is wanted and not served: after an alias moved, a version came, or the document changed. */
  follow(unit: Unit, project: string, deployment: string, why: 'asked' | 'changed'): Promise<void>;
  /** Makes an endpoint take a version: what is under way or complete for it counts. DEPLOYMENT_NOT_FOUND. */
  take(
    unit: Unit,
    project: string,
    deployment: string,
    model: string,
    version: number,
  ): Promise<Rollout | 'served' | 'refused'>;
  /** The alias was taken back from a version: whoever serves it returns to what was served before. */
  returnFrom(
    unit: Unit,
    project: string,
    deployment: string,
    takenBack: { readonly model: string; readonly version: number },
  ): Promise<void>;
  /** Takes what a report says as far as it goes. */
  evaluate(
    unit: Unit,
    project: string,
    deployment: string,
    moment: { readonly flushDone: boolean; readonly flushAskedMs: number | undefined },
  ): Promise<void>;
}

/**
 * Whoever replays says by a flush when a stretch of event time is over; a step ends there, whatever the machine's speed.
 * When nobody has flushed for so long, each report will do.
 */
const flushMatters = 15 * 60_000;

const about = ({ id, deployment, revision, model, version }: Rollout) => ({
  rolloutId: id,
  deployment,
  revision,
  model,
  version,
});
const subjectOf = ({ project, deployment }: Rollout) => ({
  project,
  subject: formatReference('deployment', deployment),
});
const fingerprintOf = ({ deployment }: Pick<Rollout, 'deployment'>) => `rollout:${deployment}`;

/** Another rollout takes its place: it is over, or its set before is let go. */
async function leave(unit: Unit, active: Rollout, reason: string): Promise<void> {
  if (!isUnderWay(active)) return updateRollout(unit, active, { ...active, previousWarm: false });
  await updateRollout(unit, active, { ...active, state: 'superseded', reason, endedMs: unit.nowMs });
  await unit.emit({ ...subjectOf(active), type: 'rollout.superseded', data: { ...about(active), reason } });
}

export function createRolloutsService(deps: Omit<RolloutsDeps, 'database' | 'events' | 'clock'>): RolloutsService {
  const { deployments, registry, alerts, lineage } = deps;

  async function readFacts(
    reader: Reader,
    rollout: Rollout,
    nowMs: number,
    mayAdvance: boolean,
  ): Promise<RolloutFacts> {
    const { project, deployment, revision, plan } = rollout;
    return {
      nowMs,
      readiness: await deployments.readiness(reader, { project, deployment, revision }),
      counters: await deployments.revisionCounters(reader, revision),
      clockMs: plan.clock === 'event' ? await deployments.greatestEventMs(reader, project, deployment) : nowMs,
      mayAdvance,
    };
  }

  async function start(unit: Unit, deployment: Deployment, model: string, version: number): Promise<void> {
    const { project, name } = deployment;
    const loaded = await deployments.loaded(unit, project, name);
    const active = await findActive(unit, project, name);
    if (active !== undefined && isUnderWay(active) && active.model === model && active.version === version) return;
    const from =
      active !== undefined && isUnderWay(active)
        ? active.from
        : loaded
            .filter(({ role, basisPoints }) => role === 'live' && basisPoints > 0)
            .map(({ revision, basisPoints }) => ({ revision, basisPoints }));
    if (active !== undefined) await leave(unit, active, `version ${version} of ${model} is rolled out instead`);

    const revision = await deployments
      .createRevision(unit, { project, deployment: name, model, version })
      .catch((error: unknown) => {
        if (!isAppError(error, 'MODEL_VERSION_NOT_SERVABLE')) throw error;
        return { refused: error.message };
      });
    if (typeof revision !== 'string') {
      if (active !== undefined) await deployments.setTraffic(unit, { project, deployment: name, weights: from });
      await alerts.open(unit, {
        project,
        fingerprint: fingerprintOf({ deployment: name }),
        kind: 'rollout',
        severity: 'critical',
        title: `${formatReference('model', model, version)} cannot be rolled out at ${name}`,
        subject: formatReference('deployment', name),
        evidence: { reason: revision.refused },
        model,
        version,
      });
      return;
    }
    if (from.length === 1 && from[0]?.revision === revision) {
      // It is what all traffic goes to already.
      if (active !== undefined) await deployments.setTraffic(unit, { project, deployment: name, weights: from });
      return;
    }
    const rollout: Rollout = {
      id: unit.newId(),
      project,
      deployment: name,
      model,
      version,
      revision,
      state: 'warming',
      reason: 'the revision is being loaded',
      from,
      promotionId: await findPromotion(unit, deployment, model, version),
      plan: planOf(deployment),
      step: -1,
      first: undefined,
      current: undefined,
      failedMs: undefined,
      previousWarm: false,
      startedMs: unit.nowMs,
      endedMs: undefined,
      origin: unit.context,
    };
    await insertRollout(unit, rollout);
    await deployments.setTraffic(unit, { project, deployment: name, weights: from, next: revision });
    const reference = formatReference('rollout', rollout.id);
    await lineage.record(unit, project, [
      { from: formatReference('revision', revision), to: reference, kind: 'rolled-out' },
      ...(rollout.promotionId === undefined
        ? []
        : [
            { from: formatReference('promotion', rollout.promotionId), to: reference, kind: 'caused' },
            // From a prediction a walk goes up through the revision: who approved what answered it is found there.
            {
              from: formatReference('promotion', rollout.promotionId),
              to: formatReference('revision', revision),
              kind: 'admitted',
            },
          ]),
      { from: reference, to: formatReference('deployment', name), kind: 'changed' },
    ]);
    await unit.emit({
      ...subjectOf(rollout),
      type: 'rollout.started',
      data: {
        rolloutId: rollout.id,
        deployment: name,
        ...(from[0] && { from: from[0].revision }),
        to: revision,
        model,
        version,
      },
    });
  }

  /** The promotion that moved the alias here: an abort reverts it. None when it was moved by hand. */
  async function findPromotion(
    reader: Reader,
    { project, spec }: Deployment,
    model: string,
    version: number,
  ): Promise<string | undefined> {
    const at = parseReference(spec.model)?.at;
    const alias = at === undefined ? undefined : await registry.alias(reader, project, model, at);
    return alias?.version === version ? alias.promotionId : undefined;
  }

  async function beginStep(
    unit: Unit,
    rollout: Rollout,
    step: number,
    facts: RolloutFacts,
    why: { readonly evidence: RolloutEvidence | undefined; readonly reason: string },
  ): Promise<Rollout> {
    const { project, deployment, revision, plan, from } = rollout;
    const percent = plan.steps[step] ?? 100;
    const isLast = percent === 100;
    const baseline: Baseline = { counters: facts.counters, clockMs: facts.clockMs };
    const previous = from.map((weight) => weight.revision).filter((id) => id !== revision);
    const after: Rollout = {
      ...rollout,
      state: isLast ? 'completed' : 'stepping',
      reason: why.reason,
      step,
      first: rollout.first ?? baseline,
      current: baseline,
      failedMs: undefined,
      previousWarm: isLast && previous.length > 0,
      endedMs: isLast ? unit.nowMs : undefined,
    };
    await updateRollout(unit, rollout, after);
    await deployments.setTraffic(unit, {
      project,
      deployment,
      weights: splitTraffic(from, revision, percent),
      ...(isLast && { previous }),
      // Another rollout tries its canary on other keys; within one they stay.
      ...(rollout.step === -1 && { salt: `${project}/${deployment}/${rollout.model}@${rollout.version}` }),
    });
    await unit.emit({
      ...subjectOf(rollout),
      type: 'rollout.advanced',
      data: { rolloutId: rollout.id, deployment, step, percent, evidence: why.evidence ?? null },
    });
    if (isLast) {
      await unit.emit({ ...subjectOf(rollout), type: 'rollout.completed', data: about(rollout) });
      await alerts.resolve(unit, {
        project,
        fingerprint: fingerprintOf(rollout),
        reason: `version ${rollout.version} was rolled out`,
      });
    }
    return after;
  }

  /** Puts the weights back, returns the alias, and says so. */
  async function undo(
    unit: Unit,
    rollout: Rollout,
    reason: string,
    alarm: { readonly evidence: RolloutEvidence | undefined } | undefined,
  ): Promise<Rollout> {
    const { project, deployment, promotionId, model, version, from } = rollout;
    const after: Rollout = {
      ...rollout,
      state: rollout.state === 'completed' ? 'rolled-back' : 'aborted',
      reason,
      previousWarm: false,
      endedMs: unit.nowMs,
    };
    await updateRollout(unit, rollout, after);
    await deployments.setTraffic(unit, { project, deployment, weights: from });
    await unit.emit({ ...subjectOf(rollout), type: 'rollout.aborted', data: { ...about(rollout), reason } });
    if (alarm !== undefined)
      await alerts.open(unit, {
        project,
        fingerprint: fingerprintOf(rollout),
        kind: 'rollout',
        severity: 'critical',
        title: `the rollout of ${formatReference('model', model, version)} at ${deployment} was aborted: ${reason}`,
        subject: formatReference('deployment', deployment),
        evidence: { reason, ...(alarm.evidence && { ...alarm.evidence }) },
        upstream: [formatReference('revision', rollout.revision)],
        model,
        version,
      });
    if (promotionId !== undefined && (await registry.promotion(unit, project, promotionId))?.state === 'completed') {
      await registry.revertPromotion(unit, { project, promotionId, reason });
      // The alias may name a version now that was superseded before it was complete: then its turn has come.
      await service.follow(unit, project, deployment, 'changed');
    }
    return after;
  }

  const service: RolloutsService = {
    async get(reader, project, id) {
      const found = await findRollout(reader, project, id);
      if (found === undefined) throw rolloutsErrors.ROLLOUT_NOT_FOUND(id);
      return found;
    },

    list: listRollouts,
    active: findActive,

    async standing(reader, rollout, nowMs) {
      if (!isActive(rollout)) return {};
      const facts = await readFacts(reader, rollout, nowMs, rollout.reason !== waitsForFlush);
      const next = isUnderWay(rollout) ? decideRollout(progressOf(rollout), facts) : undefined;
      return {
        ...(rollout.current !== undefined && { evidence: evidenceSince(rollout.current, facts) }),
        ...(next?.kind === 'wait' && { waitsFor: next.for, reason: next.reason }),
      };
    },

    async follow(unit, project, name, why) {
      const deployment = await deployments.find(unit, project, name);
      if (deployment === undefined) {
        const active = await findActive(unit, project, name);
        if (active !== undefined) await leave(unit, active, 'the deployment was taken away');
        return;
      }
      const reference = parseReference(deployment.spec.model);
      if (reference?.at === undefined) return;
      const at = /^\d+$/.test(reference.at) ? Number(reference.at) : reference.at;
      const wanted = await registry.version(unit, project, reference.name, at);
      if (wanted === undefined) return; // the status says what it waits for
      const latest = await findLatest(unit, project, name);
      const same = latest?.model === reference.name && latest.version === wanted.version;
      if (same && isUnderWay(latest)) return;
      if (same && latest.state === 'completed') {
        const loaded = await deployments.loaded(unit, project, name);
        // Taken away and declared again it serves nothing, whatever was complete before.
        if (loaded.some(({ role }) => role === 'live')) return;
      }
      // What was aborted does not come again by itself, only when somebody asks for it anew.
      if (same && isUndone(latest) && why === 'changed') return;
      await start(unit, deployment, reference.name, wanted.version);
    },

    async take(unit, project, name, model, version) {
      const deployment = await deployments.get(unit, project, name);
      const serves = async (): Promise<boolean> => {
        const live = (await deployments.loaded(unit, project, name)).filter(({ role }) => role === 'live');
        const [only] = live;
        if (only === undefined || live.length > 1) return false;
        const revision = await deployments.revision(unit, only.revision);
        return revision.model === model && revision.version === version;
      };
      const active = await findActive(unit, project, name);
      const isOther = active !== undefined && isUnderWay(active) && active.version !== version;
      if (!isOther && (await serves())) return 'served';
      await start(unit, deployment, model, version);
      const latest = await findLatest(unit, project, name);
      if (latest?.model === model && latest.version === version && isUnderWay(latest)) return latest;
      return (await serves()) ? 'served' : 'refused';
    },

    async returnFrom(unit, project, name, { model, version }) {
      const latest = await findLatest(unit, project, name);
      if (latest?.model === model && latest.version === version) {
        // Its own abort has put the weights back in the unit that returned the alias.
        if (isUndone(latest)) return;
        if (latest.from.length > 0 && (isUnderWay(latest) || latest.state === 'completed'))
          await undo(unit, latest, `version ${version} of ${model} was taken back`, undefined);
      }
      await service.follow(unit, project, name, 'asked');
    },

    async evaluate(reporting, project, name, { flushDone, flushAskedMs }) {
      const found = await findActive(reporting, project, name);
      if (found === undefined || (await deployments.find(reporting, project, name)) === undefined) return;
      const unit = reporting.becauseOf(found.origin);
      const byFlush =
        found.plan.clock === 'event' && flushAskedMs !== undefined && unit.nowMs - flushAskedMs < flushMatters;
      const facts = await readFacts(unit, found, unit.nowMs, !byFlush || flushDone);
      const rollout = withClock(withFailure(found, facts), facts);
      const decision = decideRollout(progressOf(rollout), facts);
      switch (decision.kind) {
        case 'wait': {
          const reason = isUnderWay(rollout) ? decision.reason : rollout.reason;
          if (rollout !== found || reason !== rollout.reason) await updateRollout(unit, found, { ...rollout, reason });
          return;
        }
        case 'step':
          await beginStep(unit, rollout, decision.step, facts, { evidence: decision.evidence, reason: '' });
          return;
        case 'settle':
          await updateRollout(unit, rollout, { ...rollout, previousWarm: false });
          await deployments.setTraffic(unit, {
            project,
            deployment: name,
            weights: [{ revision: rollout.revision, basisPoints: 10_000 }],
          });
          return;
        case 'abort':
          await undo(unit, rollout, decision.reason, { evidence: decision.evidence });
          return;
      }
    },

    async promote(unit, project, id, reason) {
      const rollout = await service.get(unit, project, id);
      if (!isUnderWay(rollout)) throw rolloutsErrors.ROLLOUT_STATE_CONFLICT(id, rollout.state, 'warming or stepping');
      const facts = await readFacts(unit, rollout, unit.nowMs, true);
      if (facts.readiness.state !== 'ready')
        throw rolloutsErrors.ROLLOUT_NOT_READY(
          id,
          facts.readiness.state === 'failed' ? facts.readiness.error : facts.readiness.reason,
        );
      const evidence = rollout.current && evidenceSince(rollout.current, facts);
      return beginStep(unit, rollout, rollout.plan.steps.length - 1, facts, { evidence, reason });
    },

    async abort(unit, project, id, reason) {
      const rollout = await service.get(unit, project, id);
      if (!isUnderWay(rollout)) throw rolloutsErrors.ROLLOUT_STATE_CONFLICT(id, rollout.state, 'warming or stepping');
      return undo(unit, rollout, reason, undefined);
    },

    async rollback(unit, project, deployment, reason) {
      await deployments.get(unit, project, deployment);
      const latest = await findLatest(unit, project, deployment);
      if (latest !== undefined && isUnderWay(latest)) return undo(unit, latest, reason, undefined);
      const completed = (await listRollouts(unit, { project, deployment, state: 'completed', limit: 1 }))[0];
      if (completed === undefined) throw rolloutsErrors.ROLLBACK_IMPOSSIBLE(deployment, 'no rollout of it is complete');
      if (completed.from.length === 0)
        throw rolloutsErrors.ROLLBACK_IMPOSSIBLE(deployment, 'it serves its first revision');
      return undo(unit, completed, reason, undefined);
    },
  };
  return service;
}

function progressOf({ plan, state, step, from, first, current, failedMs }: Rollout): RolloutProgress {
  const phase = state === 'warming' || state === 'stepping' ? state : 'settling';
  return { plan, phase, step, isFirst: from.length === 0, first, current, failedMs };
}

/** Remembers since when it cannot be loaded, and forgets it when it can. */
function withFailure(rollout: Rollout, { readiness, nowMs }: RolloutFacts): Rollout {
  if (readiness.state === 'failed') return rollout.failedMs === undefined ? { ...rollout, failedMs: nowMs } : rollout;
  return readiness.state === 'ready' && rollout.failedMs !== undefined ? { ...rollout, failedMs: undefined } : rollout;
}

/** On an endpoint that had not answered anything the clock begins with its first answer. */
function withClock(rollout: Rollout, { clockMs }: RolloutFacts): Rollout {
  const { current } = rollout;
  if (current === undefined || current.clockMs !== undefined || clockMs === undefined) return rollout;
  return { ...rollout, current: { ...current, clockMs } };
}

/** Without `rollout:` a new version takes all traffic as soon as it is loaded everywhere. */
function planOf({ spec: { rollout, clock } }: Deployment): RolloutPlan {
  return {
    steps: rollout?.steps ?? [100],
    each: { requests: rollout?.each?.requests ?? 0, forMs: parseDuration(rollout?.each?.for ?? '0s') ?? 0 },
    clock: clock ?? 'wall',
    ...(rollout?.abort_when !== undefined && { abortWhen: rollout.abort_when }),
  };
}
