import { type EventOnWire, listEvents } from '#contracts/event-operations';
import { listJobs } from '#contracts/jobs';
import { getRun, type RunView } from '#contracts/pipelines';
import { waitUntilQuiet } from '#contracts/quiet';
import { getRollout, type RolloutView } from '#contracts/rollouts';
import type { Client } from '../../sdk/index.ts';
import { inWords, orderByMeaning, readEventsAfter, toldTypes } from '../event-words.ts';

/*
 * What follows from a request is found by cause: each event names the event or the request that led to it, and jobs, runs
 * and rollouts hand their cause on. So others may work in the project meanwhile, and nothing of theirs is waited for.
 */

/** Something that goes on only when traffic, a person or another program comes: waiting for it might never end. */
export interface Waiting {
  readonly subject: string;
  readonly reason: string;
}

export interface Consequences {
  readonly runs: readonly Pick<RunView, 'id' | 'pipeline' | 'state'>[];
  readonly rollouts: readonly Pick<RolloutView, 'id' | 'deployment' | 'model' | 'version' | 'state' | 'reason'>[];
  readonly waiting: readonly Waiting[];
  /** Why what followed came to no good end. */
  readonly failures: readonly string[];
}

/** Where the project's log ends now. */
export async function readPosition(client: Client, signal: AbortSignal): Promise<string> {
  const { items } = await client.call(listEvents, { query: { limit: 1, order: 'desc' } }, { signal });
  return items[0]?.position ?? '0';
}

/** How long one look may take that is held back until something changes. */
const lookSeconds = 2;
/** A data plane that starts with the server reports a little later than that; one that is away may stay so. */
const dataPlanePatienceMs = 10_000;

/** Follows what requests led to, until nothing of it goes on any more. */
export async function followConsequences(
  client: Client,
  options: {
    readonly requestIds: readonly string[];
    /** The end of the log before the first of them. */
    readonly after: string;
    readonly signal: AbortSignal;
    readonly say: (line: string) => void;
    /** Of a run that has been told already. */
    readonly toldRun?: string;
  },
): Promise<Consequences> {
  const { signal, say, toldRun } = options;
  const trace = createTrace(options.requestIds);
  const runs = new Map<string, RunView>();
  const rollouts = new Map<string, RolloutView>();
  const missingSince = new Map<string, number>();

  async function look(): Promise<boolean> {
    for (const runId of trace.runs) {
      const known = runs.get(runId);
      if (known === undefined || isOpen(known))
        runs.set(runId, await client.call(getRun, { params: { runId }, query: {} }, { signal }));
    }
    for (const rolloutId of trace.rollouts) {
      const known = rollouts.get(rolloutId);
      if (known === undefined || isUnderWay(known))
        rollouts.set(rolloutId, await client.call(getRollout, { params: { rolloutId }, query: {} }, { signal }));
    }
    return (
      [...runs.values()].some(isBusy) ||
      [...rollouts.values()].some((rollout) => comesByItself(rollout, missingSince)) ||
      (await hasOpenJob(client, trace.causes, signal))
    );
  }

  for (let position = options.after; ; ) {
    // what an event leads to stands in the log once it is handled
    await client.call(waitUntilQuiet, { query: { wait: 0 } }, { signal });
    // before the log is read: what ends or begins after this look is seen there
    const goesOn = await look();
    const events = await readEventsAfter(client, position, { signal });
    position = events.at(-1)?.position ?? position;
    const fresh = trace.take(events);
    for (const event of orderByMeaning(
      fresh.filter(({ type, data }) => toldTypes.includes(type) && !isOfRun(data, toldRun)),
    ))
      say(`  ${inWords(event)}`);
    if (fresh.length > 0) continue;
    if (!goesOn) return summarize(trace, [...runs.values()], [...rollouts.values()]);
    await holdUntilChange(client, [...runs.values()].find(isBusy), [...rollouts.values()].find(isUnderWay), signal);
  }
}

const isOfRun = (data: unknown, runId: string | undefined): boolean =>
  runId !== undefined && (data as Readonly<Record<string, unknown>>)['runId'] === runId;

/** What is known to follow: ids by which later events, jobs, runs and rollouts name it as their cause. */
interface Trace {
  readonly causes: ReadonlySet<string>;
  readonly runs: ReadonlySet<string>;
  readonly rollouts: ReadonlySet<string>;
  /** Asked for and not decided yet, by id. */
  readonly approvals: ReadonlyMap<string, Waiting>;
  /** Versions that cannot be rolled out; of those whose rollout was aborted it is said too. */
  readonly refused: readonly { readonly model: string; readonly version: number; readonly title: string }[];
  /** What could not be handled. */
  readonly failures: readonly string[];
  /** Those that follow, among events in the log's order. */
  take(events: readonly EventOnWire[]): readonly EventOnWire[];
}

function createTrace(requestIds: readonly string[]): Trace {
  const causes = new Set(requestIds);
  const [runs, rollouts] = [new Set<string>(), new Set<string>()];
  const approvals = new Map<string, Waiting>();
  const refused: { model: string; version: number; title: string }[] = [];
  const failures: string[] = [];

  function note({ type, subject, data }: EventOnWire): void {
    const fact = data as Readonly<Record<string, unknown>>;
    const of = (key: string): string => String(fact[key]);
    if (type === 'pipeline.run.queued') runs.add(of('runId'));
    else if (type === 'rollout.started') rollouts.add(of('rolloutId'));
    else if (type === 'approval.requested')
      approvals.set(of('approvalId'), {
        subject,
        reason: `${subject} waits for an approval (policy ${of('policy')}): tidemill approval decide ${of('approvalId')}`,
      });
    else if (type === 'alert.opened' && of('kind') === 'rollout')
      refused.push({ model: of('model'), version: Number(fact['version']), title: of('title') });
    else if (type === 'consumer.parked')
      failures.push(`${of('consumer')} could not handle ${of('eventSubject')}: ${of('error')}`);
  }

  return {
    causes,
    runs,
    rollouts,
    approvals,
    refused,
    failures,
    take: (events) =>
      events.filter((event) => {
        // people decide by requests of their own
        if (event.type === 'approval.decided' || event.type === 'approval.withdrawn')
          approvals.delete(String((event.data as Readonly<Record<string, unknown>>)['approvalId']));
        if (event.cause === undefined || !causes.has(event.cause)) return false;
        causes.add(event.id);
        note(event);
        return true;
      }),
  };
}

const isOpen = ({ state }: RunView): boolean => state === 'running' || state === 'queued';

const isUnderWay = (rollout: RolloutView): boolean => rollout.state === 'warming' || rollout.state === 'stepping';

/** Something of it comes to an end by itself: a process, or the verdict on its model. */
const isBusy = (run: RunView): boolean =>
  isOpen(run) &&
  run.steps.some(({ state, kind }) => state === 'running' || (state === 'waiting' && kind === 'register'));

const isWaiting = (run: RunView): boolean => isOpen(run) && run.steps.some(({ state }) => state === 'waiting');

/** @param missingSince since when each rollout has been seen without a data plane */
function comesByItself(rollout: RolloutView, missingSince: Map<string, number>): boolean {
  if (!isUnderWay(rollout)) return false;
  const { id, waitsFor } = rollout;
  if (waitsFor !== 'data-plane') {
    missingSince.delete(id);
    return waitsFor === undefined || waitsFor === 'loading';
  }
  const now = performance.now();
  const since = missingSince.get(id) ?? now;
  missingSince.set(id, since);
  return now - since < dataPlanePatienceMs;
}

async function hasOpenJob(client: Client, causes: ReadonlySet<string>, signal: AbortSignal): Promise<boolean> {
  for (const state of ['running', 'queued'] as const)
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await client.call(
        listJobs,
        { query: { state, limit: 500, ...(cursor !== undefined && { cursor }) } },
        { signal },
      );
      if (page.items.some(({ cause }) => cause !== undefined && causes.has(cause))) return true;
      cursor = page.next;
    }
  return false;
}

/** Until the run or the rollout has ended, without one until the jobs have, or it is time to look at the rest again. */
async function holdUntilChange(
  client: Client,
  run: RunView | undefined,
  rollout: RolloutView | undefined,
  signal: AbortSignal,
): Promise<void> {
  const query = { wait: lookSeconds };
  if (run !== undefined) await client.call(getRun, { params: { runId: run.id }, query }, { signal });
  else if (rollout !== undefined)
    await client.call(getRollout, { params: { rolloutId: rollout.id }, query }, { signal });
  else await client.call(waitUntilQuiet, { query }, { signal });
}

function summarize(trace: Trace, runs: readonly RunView[], rollouts: readonly RolloutView[]): Consequences {
  const undone = rollouts.filter(({ state }) => state === 'aborted' || state === 'rolled-back');
  return {
    runs: runs.map(({ id, pipeline, state }) => ({ id, pipeline, state })),
    rollouts: rollouts.map(({ id, deployment, model, version, state, reason }) => ({
      id,
      deployment,
      model,
      version,
      state,
      reason,
    })),
    waiting: [
      ...runs.filter(isWaiting).map((run) => ({ subject: `run:${run.id}`, reason: whyRunWaits(run) })),
      ...rollouts
        .filter(isUnderWay)
        .map((rollout) => ({ subject: `rollout:${rollout.id}`, reason: whyRolloutWaits(rollout) })),
      ...trace.approvals.values(),
    ],
    failures: [
      ...runs.filter(({ state }) => state === 'failed' || state === 'cancelled').map(whyRunFailed),
      ...undone.map((rollout) => `${nameOf(rollout)} was aborted: ${rollout.reason}`),
      ...trace.refused
        .filter(({ model, version }) => !undone.some((one) => one.model === model && one.version === version))
        .map(({ title }) => title),
      ...trace.failures,
    ],
  };
}

function whyRunWaits({ id, pipeline, steps }: RunView): string {
  const waiting = steps.filter(({ state }) => state === 'waiting');
  const named = waiting.map(({ step, why }) => (why === undefined ? step : `${step} (${why})`));
  return `run ${id} of ${pipeline} waits in ${named.length === 1 ? 'step' : 'steps'} ${named.join(', ')}`;
}

function whyRunFailed({ id, pipeline, state, error, steps }: RunView): string {
  const why = steps.find((step) => step.state === 'failed')?.error?.message ?? error?.message;
  return `run of ${pipeline} ${state}${why === undefined ? '' : `: ${why}`} (tidemill logs ${id})`;
}

const nameOf = ({ deployment, model, version }: RolloutView): string =>
  `rollout of version ${version} of ${model}${deployment === model ? '' : ` at ${deployment}`}`;

const waits = {
  'data-plane': 'a data plane',
  loading: 'its loading',
  traffic: 'traffic',
  time: 'its time',
  flush: 'a flush',
} as const satisfies Record<NonNullable<RolloutView['waitsFor']>, string>;

function whyRolloutWaits(rollout: RolloutView): string {
  const { waitsFor = 'loading', reason } = rollout;
  return `${nameOf(rollout)} waits for ${waits[waitsFor]}: ${reason.replace(/^the step has /, '')}`;
}
