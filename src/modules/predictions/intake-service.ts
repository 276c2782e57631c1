import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { maxFutureEventTimeMs } from '#contracts/serving';
import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { dayMs } from '#contracts/worker-predictions';
import type { BlobInfo } from '#platform/blobs';
import type { Unit, WriteContext } from '#platform/database';
import { ensureEndpoint, listEndpoints, listRevisionsNamed } from './endpoint-store.ts';
import { tellGap } from './loss.ts';
import type { LoggedRevision } from './predictions-api.ts';
import { logOwner, type PredictionsDeps } from './predictions-deps.ts';
import { predictionsErrors } from './predictions-errors.ts';
import { settle } from './progress-service.ts';
import { insertCounts, insertSegment, listSegmentsOfDays } from './segment-store.ts';
import { advanceCursor, findCursor } from './spool-store.ts';
import { hasPartsBetween, markDirty } from './truth-store.ts';
import { listWaiting } from './waiting-store.ts';

export interface Delivery {
  readonly replica: string;
  readonly epoch: string;
  /** Offset of the first frame. */
  readonly from: number;
  /** The sender has nothing between what is wanted and `from` any more. */
  readonly lost: boolean;
  readonly body: Readable;
  /** Whether the sender may write records of a project. */
  readonly mayWrite: (project: string) => boolean;
}

/** `taken`: everything before `next` is in the log. `refused`: send from `next`. */
export interface DeliveryAnswer {
  readonly outcome: 'taken' | 'refused';
  readonly next: number;
}

type Intake = WorkerTaskOutput<'log-intake'>;
type IntakeFile = Intake['files'][number];
type Revisions = WorkerTaskInput<'log-intake'>['revisions'];

/** A data plane sends a few megabytes at once; anything beyond this is no delivery. */
const maxDeliveryBytes = 512 * 1024 * 1024;
/** Deliveries that are read at once. */
const maxAtOnce = 16;
/** Score cells of a revision without a training profile. */
const plainScoreEdges = Array.from({ length: 19 }, (_, at) => (at + 1) / 20);

/**
 * A delivery becomes rows of the log in three steps: its bytes to a file; the worker makes Parquet of them, which goes
 * into the blob store; one unit inserts the files and moves the cursor, guarded by where it stood. Dying in between
 * leaves bytes that nothing names, and the sender sends again.
 */
export function createIntake(deps: PredictionsDeps): {
  take(context: WriteContext, delivery: Delivery): Promise<DeliveryAnswer>;
} {
  const { database, blobs, logger } = deps;
  /** How revisions are counted never changes; a few are in use at a time. */
  const rules = new Map<string, Revisions[number]>();
  let inHand = 0;

  async function take(context: WriteContext, delivery: Delivery): Promise<DeliveryAnswer> {
    const wanted = await findCursor(database.read, delivery.replica, delivery.epoch);
    if (delivery.from !== wanted && !(delivery.lost && delivery.from > wanted))
      return { outcome: 'refused', next: wanted };
    if (inHand >= maxAtOnce) throw predictionsErrors.INTAKE_BUSY();
    inHand += 1;
    await mkdir(deps.folder, { recursive: true });
    const folder = await mkdtemp(join(deps.folder, 'delivery-'));
    try {
      const path = join(folder, 'frames');
      const sizeBytes = await receive(delivery.body, path);
      const intake = sizeBytes === 0 ? nothing(delivery.from) : await convert(path, folder, delivery.from);
      if (intake.next === delivery.from && intake.stopped !== 'end')
        throw predictionsErrors.SPOOL_FRAME_BAD(delivery.from, reasons[intake.stopped]);
      if (intake.files.some(({ project }) => !delivery.mayWrite(project)))
        throw predictionsErrors.SPOOL_REPLICA_FORBIDDEN(delivery.replica);
      const files: (IntakeFile & { readonly blob: BlobInfo })[] = [];
      for (const file of intake.files) files.push({ ...file, blob: await blobs.putFile(file.path, { move: true }) });
      for (const { endpoint, futureRows } of files)
        if (futureRows > 0)
          logger.warn(
            { endpoint, futureRows },
            'event times in the future: these rows are kept under the time of receipt',
          );
      const cursor = { replica: delivery.replica, epoch: delivery.epoch, from: wanted, to: intake.next };
      const taken = await database.write(context, (unit) => record(unit, cursor, delivery.from, files));
      if (taken) return { outcome: 'taken', next: intake.next };
      return { outcome: 'refused', next: await findCursor(database.read, delivery.replica, delivery.epoch) };
    } finally {
      inHand -= 1;
      await rm(folder, { recursive: true, force: true });
    }
  }

  async function convert(path: string, folder: string, from: number): Promise<Intake> {
    const replays = (await listEndpoints(database.read))
      .filter(({ replay }) => replay)
      .map(({ project, endpoint }) => `${project}/${endpoint}`);
    const ask = () =>
      deps.jobs.runTask('log-intake', {
        path,
        from,
        folder,
        replays,
        maxFutureMs: maxFutureEventTimeMs,
        revisions: [...rules.values()],
      });
    const first = await ask();
    if (first.missing.length === 0) return first;
    const found = await listRevisionsNamed(database.read, first.missing);
    for (const revision of first.missing)
      rules.set(
        revision,
        toRule(
          revision,
          found.find((known) => known.revision === revision),
        ),
      );
    const second = await ask();
    // one that was not registered yet may be by the next delivery
    for (const revision of first.missing)
      if (!found.some((known) => known.revision === revision)) rules.delete(revision);
    return second;
  }

  /** False when the cursor has moved meanwhile; then nothing is changed. */
  async function record(
    unit: Unit,
    cursor: { readonly replica: string; readonly epoch: string; readonly from: number; readonly to: number },
    firstOffset: number,
    files: readonly (IntakeFile & { readonly blob: BlobInfo })[],
  ): Promise<boolean> {
    const lost = firstOffset - cursor.from;
    if (!(await advanceCursor(unit, cursor, lost))) return false;
    if (lost > 0) await tellGap(unit, deps.alerts, { ...cursor, to: firstOffset });
    for (const file of files) await insertFile(unit, cursor, file);
    await settle(unit);
    return true;
  }

  async function insertFile(
    unit: Unit,
    cursor: { readonly replica: string; readonly epoch: string; readonly to: number },
    file: IntakeFile & { readonly blob: BlobInfo },
  ): Promise<void> {
    const { project, endpoint, blob } = file;
    await ensureEndpoint(unit, project, endpoint);
    await deps.artifacts.retain(unit, { project, ...blob, owner: logOwner(endpoint) });
    const late: number[] = [];
    for (const day of file.days) {
      const id = unit.newId();
      await insertSegment(unit, { id, project, endpoint, kind: 'rows', level: 0, ...blob, ...day });
      const counts = file.counts.filter(({ hourMs }) => Math.floor(hourMs / dayMs) * dayMs === day.dayMs);
      await insertCounts(unit, id, counts);
      const span = { project, endpoint, fromMs: day.dayMs, toMs: day.dayMs + dayMs };
      // a shadow's answer may come after the truth of the primary's: nothing waits for it any more
      const isShadowed = counts.some(({ role }) => role === 'shadow');
      const waiting = { ...span, fromId: day.minId, toId: day.maxId, fromMs: day.minEventMs, toMs: day.maxEventMs };
      if (
        (await hasPartsBetween(unit, span)) ||
        (await listWaiting(unit, waiting)).length > 0 ||
        (isShadowed && (await listSegmentsOfDays(unit, project, endpoint, 'truth', [day.dayMs])).length > 0)
      )
        late.push(day.dayMs);
    }
    await markDirty(unit, project, endpoint, late);
    await unit.emit({
      type: 'prediction.chunk.taken',
      project,
      subject: `deployment:${endpoint}`,
      data: {
        endpoint,
        rows: file.rows,
        requests: file.requests,
        source: `${cursor.replica}/${cursor.epoch}`,
        nextOffset: cursor.to,
      },
    });
  }

  return { take };
}

const nothing = (from: number): Intake => ({ next: from, stopped: 'end', missing: [], files: [] });

const reasons = {
  end: 'it is empty',
  cut: 'the frame is cut off',
  bad: 'the checksum or the content of the frame is wrong',
  order: 'the frame has another offset',
} as const;

function toRule(revision: string, known: LoggedRevision | undefined): Revisions[number] {
  const rule = {
    revision,
    scoreEdges: known?.training?.score?.edges ?? plainScoreEdges,
    ...(known?.score !== undefined && { score: known.score }),
  };
  const columns = (known?.training?.columns ?? []).map((column) =>
    column.kind === 'numeric'
      ? ({ name: column.name, kind: column.kind, edges: column.edges } as const)
      : ({ name: column.name, kind: column.kind, categories: column.categories } as const),
  );
  return { ...rule, columns };
}

/** Answers how many bytes came. */
async function receive(body: Readable, path: string): Promise<number> {
  let sizeBytes = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length;
      done(sizeBytes > maxDeliveryBytes ? predictionsErrors.SPOOL_TOO_LARGE(maxDeliveryBytes) : null, chunk);
    },
  });
  await pipeline(body, meter, createWriteStream(path));
  return sizeBytes;
}
