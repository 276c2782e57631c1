import type { TriggerSpec } from '#contracts/automation';
import { parseDuration } from '#contracts/duration';
import { formatReference, parseReference } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import { isAppError, nearestName } from '#platform/errors';
import type { AutomationDeps } from './automation-deps.ts';
import { automationErrors } from './automation-errors.ts';
import { createCronTimes } from './cron-times.ts';
import {
  type Firing,
  type FiringFilter,
  findFiring,
  findLastCooling,
  findLastFiring,
  insertFiring,
  listFiringsBefore,
} from './firing-store.ts';
import {
  deleteTrigger,
  findTrigger,
  listListeners,
  listTriggersAfter,
  moveNextFire,
  putTrigger,
  type Trigger,
} from './trigger-store.ts';

/**
 * What happens when a cause reaches a trigger, all in one unit:
 *
 *   cause known already            -> nothing: a cause fires a trigger at most once
 *   within the cool-down           -> suppressed, with the reason
 *   its last run is not over       -> suppressed (an alert alone: it is seen again)
 *   the pipeline cannot be started -> failed, with the reason
 *   else                           -> fired: the run is queued, its cause is in the lineage
 *
 * An incident that stays open is seen again with each window, and each sighting is a cause: a run that failed, a candidate
 * that was refused, a canary that was aborted are not the end. What is held back for the same reason is told once.
 */
export interface Cause {
  /** Names it for ever: id of the event, `cron:<instant>`, `hand:<request id>`. */
  readonly id: string;
  /** Reference of what led here; the run's lineage begins with it. */
  readonly subject: string;
  /** On its own clock: event time in a replay. */
  readonly clockMs: number;
  /** It comes again while it lasts (an alert), so it may be let pass. */
  readonly comesAgain?: boolean;
  /** It has come before. */
  readonly isRepeat?: boolean;
  /** A person knows what they do: no cool-down holds them back, and none begins. */
  readonly byHand?: boolean;
}

/** Triggers: what starts pipelines by itself. */
export interface AutomationApi {
  /** By name. */
  listTriggers(
    reader: Reader,
    project: string,
    page?: { readonly after?: string; readonly limit?: number },
  ): Promise<readonly Trigger[]>;
  /** TRIGGER_NOT_FOUND. */
  getTrigger(reader: Reader, project: string, name: string): Promise<Trigger>;
  /** Newest first. */
  listFirings(reader: Reader, filter: FiringFilter): Promise<readonly Firing[]>;
  /** Brings a cause to a trigger; the same cause again answers what was done the first time. TRIGGER_NOT_FOUND. */
  fire(unit: Unit, project: string, name: string, cause: Cause): Promise<Firing>;
}

export interface TriggerService extends AutomationApi {
  /** Sets what was asked for; undefined takes it away. */
  declare(unit: Unit, project: string, name: string, spec: TriggerSpec | undefined): Promise<void>;
  /** Brings a cause to everything that listens to `on` and was declared before it. */
  hear(unit: Unit, project: string, on: string, cause: Cause, causedMs: number): Promise<void>;
  /** Fires for the last time that is due; of several missed ones only that. */
  fireCron(unit: Unit, due: Trigger): Promise<void>;
}

/** Errors by which a pipeline says that it cannot run now; thrown before anything is written. */
const refusals = ['PIPELINE_NOT_FOUND', 'PIPELINE_PARAM_UNKNOWN', 'PIPELINE_INPUT_MISSING'];

export function createTriggerService(deps: Pick<AutomationDeps, 'pipelines' | 'lineage'>): TriggerService {
  async function startRun(
    unit: Unit,
    { project, name, spec, declaredBy }: Trigger,
    cause: Cause,
  ): Promise<{ runId: string } | { reason: string }> {
    const requestedBy = cause.byHand === true ? unit.context.actor : declaredBy;
    try {
      const runId = await deps.pipelines.run(unit, {
        project,
        pipeline: parseReference(spec.run)?.name ?? spec.run,
        trigger: formatReference('trigger', name),
        ...(requestedBy !== undefined && { requestedBy }),
        ...(spec.params !== undefined && { params: spec.params }),
      });
      return { runId };
    } catch (error) {
      if (!refusals.some((code) => isAppError(error, code))) throw error;
      return { reason: error instanceof Error ? error.message : String(error) };
    }
  }

  async function reasonToWait(unit: Unit, trigger: Trigger, cause: Cause): Promise<string | undefined> {
    const cooling = await coolingReason(unit, trigger, cause);
    if (cooling !== undefined || cause.comesAgain !== true) return cooling;
    const { project, name } = trigger;
    const runId = (await findLastFiring(unit, project, name, 'fired'))?.runId;
    if (runId === undefined) return undefined;
    const { run } = await deps.pipelines.get(unit, project, runId);
    const isOver = run.state !== 'queued' && run.state !== 'running';
    return isOver ? undefined : `${formatReference('run', runId)}, which it started before, is not over`;
  }

  async function settle(unit: Unit, trigger: Trigger, cause: Cause): Promise<Firing> {
    const { project, name } = trigger;
    const known = await findFiring(unit, project, name, cause.id);
    if (known !== undefined) return known;
    const subject = formatReference('trigger', name);
    const held = cause.byHand === true ? undefined : await reasonToWait(unit, trigger, cause);
    const started = held === undefined ? await startRun(unit, trigger, cause) : { reason: held };
    const fired = 'runId' in started;
    const firing: Firing = {
      id: unit.newId(),
      project,
      trigger: name,
      cause: cause.id,
      causeSubject: cause.subject,
      state: fired ? 'fired' : held === undefined ? 'failed' : 'suppressed',
      runId: fired ? started.runId : undefined,
      reason: fired ? undefined : started.reason,
      clockMs: cause.clockMs,
      atMs: unit.nowMs,
    };
    if (cause.isRepeat === true && isSame(await findLastFiring(unit, project, name), firing)) return firing;
    await insertFiring(unit, firing, fired && cause.byHand !== true);
    if (!fired) {
      const data = { trigger: name, causeSubject: cause.subject, reason: started.reason };
      await unit.emit({ type: 'trigger.suppressed', project, subject, data });
      return firing;
    }
    const run = formatReference('run', started.runId);
    await deps.lineage.record(unit, project, [
      { from: subject, to: run, kind: 'triggered' },
      ...(cause.subject === subject ? [] : [{ from: cause.subject, to: run, kind: 'caused' }]),
    ]);
    const data = { trigger: name, causeSubject: cause.subject, action: trigger.spec.run, result: run };
    await unit.emit({ type: 'trigger.fired', project, subject, data });
    return firing;
  }

  const service: TriggerService = {
    listTriggers: listTriggersAfter,
    listFirings: listFiringsBefore,

    async getTrigger(reader, project, name) {
      const trigger = await findTrigger(reader, project, name);
      if (trigger !== undefined) return trigger;
      const names = (await listTriggersAfter(reader, project)).map((one) => one.name);
      throw automationErrors.TRIGGER_NOT_FOUND(name, nearestName(name, names));
    },

    async fire(unit, project, name, cause) {
      return await settle(unit, await service.getTrigger(unit, project, name), cause);
    },

    async declare(unit, project, name, spec) {
      if (spec === undefined) return await deleteTrigger(unit, project, name);
      const before = await findTrigger(unit, project, name);
      const sameTimes = before?.spec.cron === spec.cron && before?.spec.zone === spec.zone;
      await putTrigger(unit, {
        project,
        name,
        spec,
        nextFireMs: sameTimes ? before?.nextFireMs : nextFireMs(spec, unit.nowMs),
        generation: (before?.generation ?? 0) + 1,
        declaredMs: before?.declaredMs ?? unit.nowMs,
        declaredBy: unit.context.actor,
      });
    },

    async hear(unit, project, on, cause, causedMs) {
      for (const trigger of await listListeners(unit, project, on))
        if (causedMs >= trigger.declaredMs) await settle(unit, trigger, cause);
    },

    async fireCron(unit, due) {
      const { cron, zone } = due.spec;
      if (cron === undefined || due.nextFireMs === undefined) return;
      const times = createCronTimes(cron, zone);
      const clockMs = times.latestMs(due.nextFireMs, unit.nowMs);
      if (!(await moveNextFire(unit, due, times.nextMs(unit.nowMs)))) return;
      await settle(unit, due, {
        id: `cron:${new Date(clockMs).toISOString()}`,
        subject: formatReference('trigger', due.name),
        clockMs,
      });
    },
  };
  return service;
}

const nextFireMs = ({ cron, zone }: TriggerSpec, nowMs: number): number | undefined =>
  cron === undefined ? undefined : createCronTimes(cron, zone).nextMs(nowMs);

/** Nothing new: what is held back for one reason is told once, not with every window. */
const isSame = (last: Firing | undefined, { state, reason, causeSubject }: Firing): boolean =>
  last !== undefined &&
  state !== 'fired' &&
  last.state === state &&
  last.reason === reason &&
  last.causeSubject === causeSubject;

/** How long an incident is left alone that stays open after it fired a trigger without a cool-down of its own. */
const repeatAfter = '1d';

/** Why a cause is let pass. A clock that went far back is that of another replay: nothing cools then. */
async function coolingReason(unit: Unit, { project, name, spec }: Trigger, cause: Cause): Promise<string | undefined> {
  const cooldown = spec.cooldown ?? (cause.isRepeat === true ? repeatAfter : '');
  const cooldownMs = parseDuration(cooldown);
  if (cooldownMs === undefined) return undefined;
  const last = await findLastCooling(unit, project, name);
  if (last === undefined || Math.abs(cause.clockMs - last.clockMs) >= cooldownMs) return undefined;
  const until = new Date(last.clockMs + cooldownMs).toISOString();
  return `it fired at ${new Date(last.clockMs).toISOString()} and keeps still until ${until} (cooldown ${cooldown})`;
}
