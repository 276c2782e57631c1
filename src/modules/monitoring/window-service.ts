import type { Verdict, WindowPart } from '#contracts/monitoring';
import { parseReference } from '#contracts/references';
import { dayMs } from '#contracts/worker-predictions';
import type { LogProgress } from '#modules/predictions';
import type { Reader, Unit, WriteContext } from '#platform/database';
import { judgeDecay } from '#statistics/decay';
import { type MonitorSettings, type Target, toSettings } from './monitor-settings.ts';
import { type ClosedWindow, findMonitor, insertWindow, type Monitor } from './monitor-store.ts';
import type { MonitoringDeps } from './monitoring-deps.ts';
import { byVersion, describeLack, metricsOf, toPart, type VersionCounts } from './window-figures.ts';

export interface Champion {
  readonly model: string;
  readonly version: number;
}

/** Where a monitor stands. */
export interface Standing {
  readonly settledMs: number | undefined;
  /** End of the window that is closed next, and the event time at which it can be. */
  readonly nextEndMs: number | undefined;
  readonly closesAtMs: number | undefined;
  readonly waitingFor: 'deployment' | 'records' | 'truth' | 'window' | 'time';
}

export interface WindowService {
  standing(reader: Reader, monitor: Monitor): Promise<Standing>;
  /** Closes every window that can be closed, oldest first; answers how many. */
  closeWindows(context: WriteContext, project: string, name: string): Promise<number>;
  champion(reader: Reader, project: string, deployment: string): Promise<Champion | undefined>;
}

/**
 * A window ends with an event day of the deployment's clock and trails it. It closes, once, when
 *
 *   settled >= end + lateness + truth's delay     settled: everything answered up to there is in the log
 *   no truth that is here waits to be matched     (dataset versions, late records)
 *
 * and is what was known then: truth that comes later counts in the windows after it.
 */
export function createWindowService(deps: MonitoringDeps): WindowService {
  const { database, predictions } = deps;

  async function standing(reader: Reader, monitor: Monitor): Promise<Standing> {
    const progress = await predictions.progress(reader, monitor.project, monitor.deployment);
    const settledMs = progress?.settledMs;
    const none = { settledMs, nextEndMs: undefined, closesAtMs: undefined };
    const earliestMs = progress === undefined ? undefined : earliestEndOf(monitor, progress);
    if (progress === undefined || earliestMs === undefined) return { ...none, waitingFor: 'deployment' };
    const nextEndMs = await firstWithRows(reader, monitor, earliestMs);
    if (nextEndMs === undefined) return { ...none, waitingFor: progress.truthPending ? 'truth' : 'time' };
    const { lateMs, truthDelayMs } = toSettings(monitor.spec);
    const closesAtMs = nextEndMs + lateMs + truthDelayMs;
    const isDue = settledMs !== undefined && settledMs >= closesAtMs;
    const waitingFor = progress.truthPending ? 'truth' : isDue ? 'window' : progress.caughtUp ? 'time' : 'records';
    return { settledMs, nextEndMs, closesAtMs, waitingFor };
  }

  /**
   * The end of the first window that has rows, from `earliestMs` on: one stray event time of long ago, or a quiet year,
   * makes no thousands of empty windows. A window that rows have just left is closed, once.
   */
  async function firstWithRows(reader: Reader, monitor: Monitor, earliestMs: number): Promise<number | undefined> {
    const { project, deployment: endpoint } = monitor;
    const { windowMs, drift } = toSettings(monitor.spec);
    const fromMs = earliestMs - dayMs - Math.max(windowMs, drift?.windowMs ?? 0);
    const firstMs = await predictions.firstEvent(reader, { project, endpoint, fromMs, toMs: endOfTime });
    if (firstMs === undefined) return undefined;
    return Math.max(earliestMs, floorDay(firstMs) + dayMs);
  }

  async function champion(reader: Reader, project: string, deployment: string): Promise<Champion | undefined> {
    const found = await deps.deployments.find(reader, project, deployment);
    const reference = found && parseReference(found.spec.model);
    if (reference?.at === undefined) return undefined;
    const version = Number(reference.at);
    if (Number.isInteger(version)) return { model: reference.name, version };
    const alias = await deps.registry.alias(reader, project, reference.name, reference.at);
    return alias && { model: reference.name, version: alias.version };
  }

  async function versionCounts(monitor: Monitor, fromMs: number, toMs: number): Promise<readonly VersionCounts[]> {
    const { project, deployment: endpoint } = monitor;
    const counts = await predictions.counts(database.read, { project, endpoint, fromMs, toMs });
    return byVersion(counts, await predictions.revisions(database.read, project, endpoint));
  }

  async function judge(
    monitor: Monitor,
    settings: MonitorSettings,
    target: Target,
    now: {
      readonly champion: Champion | undefined;
      readonly counts: VersionCounts | undefined;
      readonly all: readonly VersionCounts[];
    },
    span: { readonly startMs: number; readonly endMs: number },
  ): Promise<Verdict> {
    const rule = { ...target, minLabelled: settings.minLabelled, confidence: settings.confidence };
    const windowOf = (counts: VersionCounts | undefined, startMs: number, endMs: number) => ({
      startMs,
      endMs,
      labelled: counts?.labelled ?? 0,
      metric: counts && metricsOf(counts, settings.confidence)[target.metric],
    });
    const newest = windowOf(now.counts, span.startMs, span.endMs);
    let verdict = judgeDecay([newest], rule);
    if (verdict.state === 'warning') {
      // Only then does the window before it matter: the same version's, not overlapping.
      const startMs = span.startMs - settings.windowMs;
      const before = championOf(await versionCounts(monitor, startMs, span.startMs), now.champion);
      verdict = judgeDecay([newest, windowOf(before, startMs, span.startMs)], rule);
    }
    const { state, evidence } = verdict;
    const lacks = state === 'not-enough-data' && newest.labelled < settings.minLabelled;
    const reason = lacks ? describeLack(settings, now.champion, { all: now.all, endMs: span.endMs }) : verdict.reason;
    return { metric: target.metric, target: target.text, state, ...(evidence && { evidence }), reason };
  }

  async function compute(
    monitor: Monitor,
    endMs: number,
    now: Champion | undefined,
  ): Promise<Omit<ClosedWindow, 'id' | 'closedMs'>> {
    const settings = toSettings(monitor.spec);
    const { drift, confidence } = settings;
    const startMs = endMs - settings.windowMs;
    const counts = await versionCounts(monitor, startMs, endMs);
    const driftStartMs = drift && endMs - drift.windowMs;
    const driftCounts =
      driftStartMs === undefined || driftStartMs === startMs
        ? counts
        : await versionCounts(monitor, driftStartMs, endMs);
    const parts = counts.map((part) =>
      toPart(part, {
        champion: now,
        confidence,
        drift: drift && {
          rule: drift,
          counts: driftCounts.find(
            ({ model, version, role }) => model === part.model && version === part.version && role === part.role,
          ),
        },
      }),
    );
    const ofChampion = championOf(counts, now);
    const verdicts: Verdict[] = [];
    for (const target of settings.targets)
      verdicts.push(
        await judge(monitor, settings, target, { champion: now, counts: ofChampion, all: counts }, { startMs, endMs }),
      );
    const primary = counts.filter(({ role }) => role === 'primary');
    return {
      project: monitor.project,
      monitor: monitor.name,
      startMs,
      endMs,
      champion: now,
      predictions: primary.reduce((sum, { rows }) => sum + rows, 0),
      labelled: primary.reduce((sum, { labelled }) => sum + labelled, 0),
      state: stateOf(verdicts),
      drifted: driftedOf(parts),
      driftStartMs,
      verdicts,
      parts,
    };
  }

  async function closeOne(context: WriteContext, project: string, name: string): Promise<boolean> {
    const monitor = await findMonitor(database.read, project, name);
    if (monitor === undefined) return false;
    const { nextEndMs, waitingFor } = await standing(database.read, monitor);
    if (waitingFor !== 'window' || nextEndMs === undefined) return false;
    const now = await champion(database.read, project, monitor.deployment);
    const window = await compute(monitor, nextEndMs, now);
    await database.write(context, async (unit) => {
      // A champion that has changed meanwhile is judged by its own rows: the next round sees it.
      const current = await champion(unit, project, monitor.deployment);
      if (current?.model !== now?.model || current?.version !== now?.version) return;
      const id = unit.newId();
      if (!(await insertWindow(unit, { id, ...window }, monitor.lastEndMs))) return;
      await unit.emit({
        type: 'window.closed',
        project,
        subject: `monitor:${name}`,
        data: {
          monitor: name,
          windowId: id,
          startMs: window.startMs,
          endMs: window.endMs,
          predictions: window.predictions,
          labelled: window.labelled,
        },
      });
      await tellPerformance(unit, id, window);
      await tellDrift(unit, id, window);
    });
    return true;
  }

  async function tellPerformance(unit: Unit, id: string, window: Omit<ClosedWindow, 'id' | 'closedMs'>): Promise<void> {
    const { project, monitor, champion: now } = window;
    const fingerprint = performanceFingerprint(monitor);
    const broken = window.verdicts.filter(({ state }) => state === 'alert');
    if (broken.length === 0) {
      if (window.state === 'ok')
        await deps.alerts.resolve(unit, { project, fingerprint, reason: 'the targets are kept again' });
      return;
    }
    const part = window.parts.find((one) => one.champion && one.role === 'primary');
    const metrics = broken.map(({ metric, target, evidence, reason }) => ({
      metric,
      target,
      evidence,
      reason,
      ...part?.metrics[metric],
    }));
    await deps.alerts.open(unit, {
      project,
      fingerprint,
      kind: 'performance',
      severity: 'critical',
      title: `${monitor}: ${broken.map(({ metric, target }) => `${metric} misses ${target}`).join(', ')}`,
      subject: `monitor:${monitor}`,
      evidence: { windowId: id, ...evidenceOf(window), labelled: part?.labelled ?? 0, metrics },
      ...upstreamOf(now),
      atMs: window.endMs,
    });
  }

  async function tellDrift(unit: Unit, id: string, window: Omit<ClosedWindow, 'id' | 'closedMs'>): Promise<void> {
    const { project, monitor, champion: now, drifted } = window;
    const fingerprint = driftFingerprint(monitor);
    let open = await deps.alerts.findOpen(unit, project, fingerprint);
    if (open !== undefined && now !== undefined && (open.model !== now.model || open.version !== now.version)) {
      // the alias moved without a promotion: what it was measured by is no longer what it is measured by
      await deps.alerts.resolve(unit, { project, fingerprint, reason: otherChampion(now) });
      open = undefined;
    }
    const part = window.parts.find((one) => one.champion && one.role === 'primary');
    if (drifted.length === 0) {
      if (part?.drift.some(({ state }) => state === 'stable') === true)
        await deps.alerts.resolve(unit, {
          project,
          fingerprint,
          reason: 'no column differs from the training data any more',
        });
      return;
    }
    const findings = [...(part?.drift ?? []), ...(part?.predictionDrift ? [part.predictionDrift] : [])];
    const since = sinceOf(open?.evidence) ?? new Date(window.endMs).toISOString();
    // Drift alone is no decay: it warns and retrains nothing.
    await deps.alerts.open(unit, {
      project,
      fingerprint,
      kind: 'drift',
      severity: 'warning',
      title: driftTitle(window, since),
      subject: `monitor:${monitor}`,
      evidence: {
        windowId: id,
        ...evidenceOf(window),
        since,
        note: driftNote,
        columns: findings
          .filter(({ state }) => state === 'drifted')
          .map(({ column, method, effect, psi, adjustedPValue, missingShare, trainingMissingShare }) => ({
            column,
            method,
            effect,
            psi,
            adjustedPValue,
            missingShare,
            trainingMissingShare,
          })),
      },
      ...upstreamOf(now),
      atMs: window.endMs,
    });
  }

  return {
    standing,
    champion,
    async closeWindows(context, project, name) {
      let count = 0;
      while (await closeOne(context, project, name)) count += 1;
      return count;
    },
  };
}

/** An incident of drift is about one champion and its training data; this is why it is over. */
export const otherChampion = ({ model, version }: Champion): string =>
  `version ${version} of ${model} became champion: its inputs are compared with its own training data`;

const driftNote =
  'Warns only: drift alone retrains nothing, performance decides. It ends when the columns are like the training data again, or another version becomes champion.';

const mostNamed = 3;

function driftTitle(
  { monitor, champion: now, drifted }: Pick<ClosedWindow, 'monitor' | 'champion' | 'drifted'>,
  since: string,
): string {
  const more = drifted.length - mostNamed;
  const named = drifted.slice(0, mostNamed).join(', ') + (more > 0 ? ` and ${more} more` : '');
  const of = now === undefined ? '' : ` of version ${now.version}`;
  return `${monitor}: ${named} differ${drifted.length === 1 ? 's' : ''} from the training data${of} since ${since.slice(0, 10)}`;
}

/** When an open incident of drift began, on the deployment's clock: the end of its first window. */
function sinceOf(evidence: unknown): string | undefined {
  if (typeof evidence !== 'object' || evidence === null || !('since' in evidence)) return undefined;
  return typeof evidence.since === 'string' ? evidence.since : undefined;
}

export const performanceFingerprint = (monitor: string): string => `monitor:${monitor}/performance`;
export const driftFingerprint = (monitor: string): string => `monitor:${monitor}/drift`;

const endOfTime = 8_640_000_000_000_000;

const floorDay = (atMs: number): number => Math.floor(atMs / dayMs) * dayMs;

/** The first day is the one of the first prediction, or of the declaration when that came later. */
function earliestEndOf(monitor: Monitor, { firstEventMs }: LogProgress): number | undefined {
  if (monitor.lastEndMs !== undefined) return monitor.lastEndMs + dayMs;
  if (firstEventMs === undefined) return undefined;
  return floorDay(Math.max(firstEventMs, monitor.fromMs ?? 0)) + dayMs;
}

const championOf = (counts: readonly VersionCounts[], now: Champion | undefined): VersionCounts | undefined =>
  counts.find(({ model, version, role }) => role === 'primary' && model === now?.model && version === now.version);

function stateOf(verdicts: readonly Verdict[]): ClosedWindow['state'] {
  if (verdicts.length === 0) return 'off';
  for (const state of ['alert', 'warning', 'not-enough-data'] as const)
    if (verdicts.some((verdict) => verdict.state === state)) return state;
  return 'ok';
}

function driftedOf(parts: readonly WindowPart[]): readonly string[] {
  const part = parts.find((one) => one.champion && one.role === 'primary');
  const columns = (part?.drift ?? []).filter(({ state }) => state === 'drifted').map(({ column }) => column);
  return part?.predictionDrift?.state === 'drifted' ? [...columns, 'score'] : columns;
}

const evidenceOf = ({ startMs, endMs, champion: now }: Pick<ClosedWindow, 'startMs' | 'endMs' | 'champion'>) => ({
  start: new Date(startMs).toISOString(),
  end: new Date(endMs).toISOString(),
  /** On the deployment's clock: what cool-downs are counted from. */
  eventTimeMs: endMs,
  ...(now && { model: now.model, version: now.version }),
});

const upstreamOf = (now: Champion | undefined) =>
  now === undefined ? {} : { upstream: [`model:${now.model}@${now.version}`], model: now.model, version: now.version };
