import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TruthAnswer } from '#contracts/predictions';
import { toRfc3339 } from '#contracts/rfc3339';
import { maxFutureEventTimeMs } from '#contracts/serving';
import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { dayMs } from '#contracts/worker-predictions';
import type { BlobInfo } from '#platform/blobs';
import type { Reader, Unit, WriteContext } from '#platform/database';
import { advanceTruth, type Endpoint, findEndpoint, listEndpoints } from './endpoint-store.ts';
import { createKeyedMutex } from './keyed-mutex.ts';
import type { PredictionsApi, PushedValue } from './predictions-api.ts';
import { logOwner, type PredictionsDeps } from './predictions-deps.ts';
import { predictionsErrors } from './predictions-errors.ts';
import {
  insertSegment,
  listDays,
  listSegmentsOfDays,
  listSegmentsOfIds,
  replaceLabels,
  type Segment,
} from './segment-store.ts';
import {
  clearDirtyDays,
  hasUnmatchedParts,
  insertParts,
  listBindings,
  listDirtyDays,
  listParts,
  markDirty,
  markMatched,
  type StoredBinding,
  setMatchedVersion,
  type TruthPart,
} from './truth-store.ts';
import { deleteWaiting, listWaiting, upsertWaiting, type WaitingTruth } from './waiting-store.ts';

type TruthInput = WorkerTaskInput<'log-truth'>;
type TruthOutput = WorkerTaskOutput<'log-truth'>;

/** How long a pushed truth waits for its prediction. */
export const waitingMs = 30 * dayMs;
const attempts = 10;
const pushedSource = 'push';

export interface TruthService extends Pick<PredictionsApi, 'pushTruth'> {
  /** Reads what is new of bound datasets, and matches again the days whose rows came late. */
  matchPending(context: WriteContext, project: string, endpoint: string): Promise<void>;
  /** Whether there is anything for `matchPending` to do. */
  isPending(reader: Reader, project: string, endpoint: string): Promise<boolean>;
}

/**
 * Truth meets predictions in three steps: what is to be matched is written down (parts that were found, days that are
 * dirty), so that rows which come from now on know that they are late; the worker reads rows and truths and writes the
 * new ones; one unit adds them to the manifest with the labels of their hours, guarded by the endpoint's `truth_version`.
 */
export function createTruthService(deps: PredictionsDeps): TruthService {
  const { database, blobs } = deps;
  const alone = createKeyedMutex();

  async function getEndpoint(project: string, endpoint: string): Promise<Endpoint> {
    const found = await findEndpoint(database.read, project, endpoint);
    if (found !== undefined) return found;
    const known = await listEndpoints(database.read, project);
    throw predictionsErrors.ENDPOINT_UNKNOWN(
      endpoint,
      known.map((one) => one.endpoint),
    );
  }

  /** Runs the worker over the days; the new truth file, if any, is in the store when it resolves. */
  async function joinDays(
    endpoint: Endpoint,
    days: readonly number[],
    input: Pick<TruthInput, 'datasets' | 'pushed' | 'recountDays'>,
  ): Promise<{ readonly output: TruthOutput; readonly blob: BlobInfo | undefined }> {
    if (days.length === 0) return { output: nothingFound, blob: undefined };
    const { project } = endpoint;
    const rows = await listSegmentsOfDays(database.read, project, endpoint.endpoint, 'rows', days);
    const truths = await listSegmentsOfDays(database.read, project, endpoint.endpoint, 'truth', days);
    const folder = join(deps.folder, `truth-${randomUUID()}`);
    await mkdir(folder, { recursive: true });
    try {
      const outputPath = join(folder, 'truth.parquet');
      const output = await deps.jobs.runTask('log-truth', {
        rows: pathsOf(rows),
        truths: pathsOf(truths),
        days,
        ...input,
        recordedMs: deps.clock.nowMs(),
        outputPath,
      });
      const blob = output.days.length === 0 ? undefined : await blobs.putFile(outputPath, { move: true });
      return { output, blob };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** The part of the unit that both ways share. False: another writer came first. */
  async function recordJoin(
    unit: Unit,
    endpoint: Endpoint,
    { output, blob }: { readonly output: TruthOutput; readonly blob: BlobInfo | undefined },
  ): Promise<boolean> {
    const { project, endpoint: name } = endpoint;
    if (!(await advanceTruth(unit, endpoint))) return false;
    if (blob !== undefined) {
      await deps.artifacts.retain(unit, { project, ...blob, owner: logOwner(name) });
      for (const day of output.days)
        await insertSegment(unit, {
          id: unit.newId(),
          project,
          endpoint: name,
          kind: 'truth',
          level: 0,
          ...blob,
          ...day,
        });
    }
    await replaceLabels(unit, project, name, output.hours, output.labels);
    return true;
  }

  // ---- truth that is pushed -------------------------------------------------------------------------------------------

  async function pushOnce(
    context: WriteContext,
    project: string,
    name: string,
    truths: readonly PushedValue[],
  ): Promise<TruthAnswer | undefined> {
    const endpoint = await getEndpoint(project, name);
    if (!endpoint.replay) refuseFuture(truths, deps.clock.nowMs());
    const before = await candidateSegments(project, name, truths);
    const pushed = truths.map((truth, ordinal) => toPushed(truth, ordinal));
    const joined = await joinDays(endpoint, daysOf(before), { datasets: [], pushed, recountDays: [] });
    const found = new Set(joined.output.found);
    const waiting = truths.filter((_, ordinal) => !found.has(ordinal)).map(toWaiting);
    const known = new Set(before.map(({ id }) => id));
    const recorded = await database.write(context, async (unit) => {
      if (!(await recordJoin(unit, endpoint, joined))) return false;
      await upsertWaiting(unit, project, name, lastOfEach(waiting), unit.nowMs + waitingMs);
      // Rows that came while the worker read: they did not know of these truths. One day's file that compaction has made
      // meanwhile may hold such rows too.
      const after = waiting.length === 0 ? [] : await candidateSegmentsIn(unit, project, name, truths);
      await markDirty(unit, project, name, daysOf(after.filter(({ id }) => !known.has(id))));
      await tell(unit, endpoint, joined.output, waiting.length);
      return true;
    });
    if (!recorded) return undefined;
    const { matched, changed, unchanged } = joined.output;
    return { matched, changed, unchanged, waiting: waiting.length };
  }

  const candidateSegments = (project: string, endpoint: string, truths: readonly PushedValue[]) =>
    candidateSegmentsIn(database.read, project, endpoint, truths);

  // ---- truth that is read from datasets, and days to be matched again -----------------------------------------------

  /** Writes down which parts are new, so that rows which come from here on are known to be late. */
  async function noteParts(context: WriteContext, bindings: readonly StoredBinding[]): Promise<readonly BoundWork[]> {
    const work: BoundWork[] = [];
    for (const binding of bindings) {
      const { project, name, dataset } = binding;
      const current = await deps.datasets.version(database.read, project, dataset);
      const known = await listParts(database.read, project, name);
      const digests = new Set(known.map(({ sha256 }) => sha256));
      const fresh = (current?.parts ?? [])
        .filter(({ sha256 }) => !digests.has(sha256))
        .map((part) => ({
          sha256: part.sha256,
          timeMinMs: part.timeMinMs,
          timeMaxMs: part.timeMaxMs,
          observedMs: part.createdMs,
          source: `dataset:${dataset}@${current?.version}`,
        }));
      if (fresh.length > 0) await database.write(context, (unit) => insertParts(unit, binding, fresh));
      const parts = [...known, ...fresh.map((part) => ({ ...part, matched: false }))];
      work.push({ binding, version: current?.version ?? 0, parts });
    }
    return work;
  }

  async function matchOnce(
    context: WriteContext,
    project: string,
    name: string,
  ): Promise<'done' | 'nothing' | 'again'> {
    const endpoint = await getEndpoint(project, name);
    const bindings = await listBindings(database.read, project, { endpoint: name });
    const work = await noteParts(context, bindings);
    const dirty = await listDirtyDays(database.read, project, name);
    if (dirty.length === 0 && !work.some(isStale)) return 'nothing';

    const fresh = work.flatMap(({ parts }) => parts.filter(({ matched }) => !matched));
    const days = new Set(dirty.map((day) => day.dayMs));
    for (const { timeMinMs, timeMaxMs } of fresh) {
      const range = { project, endpoint: name, fromMs: timeMinMs ?? 0, toMs: (timeMaxMs ?? endOfTime) + 1 };
      for (const day of await listDays(database.read, range)) days.add(day);
    }
    const dirtyDays = new Set(dirty.map((day) => day.dayMs));
    const waiting = await waitingOf(project, name, [...dirtyDays]);
    const joined = await joinDays(
      endpoint,
      [...days].toSorted((a, b) => a - b),
      {
        datasets: work.flatMap(({ binding, parts }) => {
          const useful = parts.filter((part) => (part.matched ? overlaps(part, dirtyDays) : overlaps(part, days)));
          return useful.length === 0 ? [] : [toDataset(binding, useful)];
        }),
        pushed: waiting.map((truth, ordinal) => ({
          ordinal,
          ...(truth.predictionId !== undefined && { predictionId: truth.predictionId }),
          ...(truth.row !== undefined && { row: truth.row }),
          ...(truth.key !== undefined && { key: truth.key }),
          ...(truth.eventMs !== undefined && { eventMs: truth.eventMs }),
          value: truth.value,
          observedMs: truth.observedMs,
          source: truth.source,
        })),
        recountDays: [...dirtyDays],
      },
    );
    const found = joined.output.found.flatMap((ordinal) => waiting[ordinal] ?? []);
    const recorded = await database.write(context, async (unit) => {
      if (!(await recordJoin(unit, endpoint, joined))) return false;
      for (const { binding, version, parts } of work) {
        const digests = parts.filter(({ matched }) => !matched).map(({ sha256 }) => sha256);
        await markMatched(unit, project, binding.name, digests);
        await setMatchedVersion(unit, project, binding.name, version);
        if (digests.length > 0)
          await deps.lineage.record(unit, project, [
            { from: `dataset:${binding.dataset}@${version}`, to: `monitor:${binding.name}`, kind: 'truth' },
          ]);
      }
      await clearDirtyDays(unit, project, name, dirty);
      for (const { lookup, observedMs } of found) await deleteWaiting(unit, project, name, [lookup], observedMs);
      await tell(unit, endpoint, joined.output, 0);
      return true;
    });
    return recorded ? 'done' : 'again';
  }

  async function waitingOf(
    project: string,
    endpoint: string,
    days: readonly number[],
  ): Promise<readonly WaitingTruth[]> {
    const found = new Map<string, WaitingTruth>();
    for (const segment of await listSegmentsOfDays(database.read, project, endpoint, 'rows', days)) {
      const { minId: fromId, maxId: toId, minEventMs: fromMs, maxEventMs: toMs } = segment;
      for (const truth of await listWaiting(database.read, { project, endpoint, fromId, toId, fromMs, toMs }))
        found.set(truth.lookup, truth);
    }
    return [...found.values()];
  }

  async function isPending(reader: Reader, project: string, endpoint: string): Promise<boolean> {
    if ((await listDirtyDays(reader, project, endpoint)).length > 0) return true;
    if (await hasUnmatchedParts(reader, project, endpoint)) return true;
    for (const { dataset, matchedVersion } of await listBindings(reader, project, { endpoint })) {
      const current = await deps.datasets.currentVersion(reader, project, dataset);
      if (current !== undefined && current > matchedVersion) return true;
    }
    return false;
  }

  return {
    pushTruth: (context, { project, endpoint, truths }) =>
      alone(`${project}/${endpoint}`, () => retrying(endpoint, () => pushOnce(context, project, endpoint, truths))),
    async matchPending(context, project, endpoint) {
      if (!(await isPending(database.read, project, endpoint))) return;
      await alone(`${project}/${endpoint}`, () =>
        retrying(endpoint, async () => {
          const outcome = await matchOnce(context, project, endpoint);
          return outcome === 'again' ? undefined : outcome;
        }),
      );
    },
    isPending,
  };
}

/** The latest observation wins: one of a time to come would keep every correction out until then. */
function refuseFuture(truths: readonly PushedValue[], nowMs: number): void {
  const index = truths.findIndex(({ observedMs }) => observedMs > nowMs + maxFutureEventTimeMs);
  const observedMs = truths[index]?.observedMs;
  if (observedMs !== undefined)
    throw predictionsErrors.TRUTH_INVALID(
      index,
      `observedAt ${toRfc3339(observedMs)} lies more than ${maxFutureEventTimeMs / 60_000} minutes ahead of this server's clock (${toRfc3339(nowMs)}); send the time at which it was observed, or none for now`,
    );
}

interface BoundWork {
  readonly binding: StoredBinding;
  readonly version: number;
  readonly parts: readonly (TruthPart & { readonly matched: boolean })[];
}

const isStale = ({ binding, version, parts }: BoundWork) =>
  binding.matchedVersion < version || parts.some(({ matched }) => !matched);

const tell = (unit: Unit, { project, endpoint }: Endpoint, output: TruthOutput, waiting: number) =>
  unit.emit({
    type: 'truth.recorded',
    project,
    subject: `deployment:${endpoint}`,
    data: { endpoint, matched: output.matched, waiting, changed: output.changed },
  });

/** Segments of rows that may hold what the truths name: by span of ids, by day. */
async function candidateSegmentsIn(
  reader: Reader,
  project: string,
  endpoint: string,
  truths: readonly PushedValue[],
): Promise<readonly Segment[]> {
  const ids = truths.flatMap(({ lookup }) => ('predictionId' in lookup ? [lookup.predictionId] : [])).toSorted();
  const days = truths.flatMap(({ lookup }) => ('key' in lookup ? [dayOf(lookup.eventMs)] : []));
  const [fromId, toId] = [ids[0], ids.at(-1)];
  const byId =
    fromId === undefined || toId === undefined
      ? []
      : (await listSegmentsOfIds(reader, { project, endpoint, fromId, toId })).filter((segment) =>
          ids.some((id) => id >= segment.minId && id <= segment.maxId),
        );
  return [...byId, ...(await listSegmentsOfDays(reader, project, endpoint, 'rows', [...new Set(days)]))];
}

async function retrying<T>(endpoint: string, work: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const result = await work();
    if (result !== undefined) return result;
  }
  throw predictionsErrors.TRUTH_BUSY(endpoint);
}

const endOfTime = 8_640_000_000_000_000 - 1;
const nothingFound: TruthOutput = { matched: 0, changed: 0, unchanged: 0, found: [], days: [], hours: [], labels: [] };

const dayOf = (atMs: number): number => Math.floor(atMs / dayMs) * dayMs;
const daysOf = (segments: readonly Segment[]): number[] =>
  [...new Set(segments.map((segment) => segment.dayMs))].toSorted((a, b) => a - b);
const pathsOf = (segments: readonly Segment[]): string[] => [
  ...new Set(segments.map(({ sha256 }) => `blob:${sha256}`)),
];

function overlaps({ timeMinMs, timeMaxMs }: TruthPart, days: ReadonlySet<number>): boolean {
  if (timeMinMs === undefined || timeMaxMs === undefined) return days.size > 0;
  return [...days].some((day) => timeMinMs < day + dayMs && timeMaxMs >= day);
}

function toDataset(binding: StoredBinding, parts: readonly TruthPart[]): TruthInput['datasets'][number] {
  return {
    parts: parts.map(({ sha256, observedMs, source }) => ({ path: `blob:${sha256}`, observedMs, source })),
    key: binding.key,
    time: binding.time,
    value: binding.value,
  };
}

function toPushed({ lookup, value, observedMs }: PushedValue, ordinal: number): TruthInput['pushed'][number] {
  const common = { ordinal, value, observedMs, source: pushedSource };
  if ('key' in lookup) return { ...common, key: lookup.key, eventMs: lookup.eventMs };
  return { ...common, predictionId: lookup.predictionId, ...(lookup.row !== undefined && { row: lookup.row }) };
}

function toWaiting({ lookup, value, observedMs }: PushedValue): WaitingTruth {
  const common = { value, observedMs, source: pushedSource };
  if ('key' in lookup)
    return {
      ...common,
      lookup: `key:${lookup.eventMs}:${lookup.key}`,
      predictionId: undefined,
      row: undefined,
      key: lookup.key,
      eventMs: lookup.eventMs,
    };
  const { predictionId, row } = lookup;
  return {
    ...common,
    lookup: `id:${predictionId}${row === undefined ? '' : `.${row}`}`,
    predictionId,
    row,
    key: undefined,
    eventMs: undefined,
  };
}

/** One upsert must not name a row twice: of equals the one observed last stays, then the later one. */
function lastOfEach(truths: readonly WaitingTruth[]): readonly WaitingTruth[] {
  const last = new Map<string, WaitingTruth>();
  for (const truth of truths) {
    const known = last.get(truth.lookup);
    if (known === undefined || known.observedMs <= truth.observedMs) last.set(truth.lookup, truth);
  }
  return [...last.values()];
}
