import { closeSync, fdatasync, ftruncateSync, mkdirSync, openSync, rmSync, write, writeSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type EncodedRecord, maxFrameBytes, writeFrame } from '#contracts/spool-frame';
import type { Logger } from '#platform/log';
import { recoverEpochs, type Segment, type SpoolEpoch, segmentPath } from './spool-segments.ts';

export interface SpoolLimits {
  /** All segments together; beyond it the spool is full. */
  readonly maxBytes: number;
  readonly segmentBytes: number;
  readonly segmentMs: number;
}

export const defaultSpoolLimits: SpoolLimits = {
  maxBytes: 4 * 1024 ** 3,
  segmentBytes: 64 * 1024 ** 2,
  segmentMs: 10_000,
};

/** `lost`: there was no room, or the disk refused; the caller's `onFull` says what that means. */
export type AppendResult = 'written' | 'lost';

/**
 * Where predictions are kept until the control plane has them. Records that are appended in one turn of the event loop
 * are written by one write() at its end; `append` settles after that, so an answer that waits for it survives kill -9.
 * `fdatasync` runs every second; a record that asks for it waits for one of its own. While one runs a write() may take as long
 * as it does: another thread then does it, and what is appended meanwhile is written by the next.
 */
export interface Spool {
  /** Id of this start, sortable. */
  readonly epoch: string;
  append(record: EncodedRecord, fsync: boolean): Promise<AppendResult>;
  readonly full: boolean;
  readonly bytes: number;
  readonly dropped: number;
  /** Oldest first; the last one is this start's. */
  readonly epochs: readonly SpoolEpoch[];
  /** The control plane has taken what lies before `next`: closed segments before it are removed. */
  markDelivered(epoch: SpoolEpoch, next: number): Promise<void>;
  /** Called after each write. */
  onWrite(listener: () => void): void;
  close(): Promise<void>;
}

interface Pending {
  readonly record: EncodedRecord;
  readonly fsync: boolean;
  readonly resolve: (result: AppendResult) => void;
}

const syncFile = promisify(fdatasync);
const writeFile = promisify(write);

export async function openSpool(options: {
  readonly folder: string;
  readonly epoch: string;
  readonly limits: SpoolLimits;
  readonly logger: Logger;
}): Promise<Spool> {
  const { limits, logger } = options;
  const epochs = await recoverEpochs(options.folder, logger);
  const current: SpoolEpoch = {
    id: options.epoch,
    folder: join(options.folder, options.epoch),
    segments: [],
    next: 0,
    delivered: 0,
  };
  epochs.push(current);
  mkdirSync(current.folder, { recursive: true });

  let bytes = epochs.flatMap(({ segments }) => segments).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let dropped = 0;
  let pending: Pending[] = [];
  let scratch = Buffer.allocUnsafe(256 * 1024);
  let active: { readonly segment: Segment; readonly descriptor: number; readonly sinceMs: number } | undefined;
  let unsynced = false;
  let writeFailed = false;
  /** One thing after another, so that no descriptor is closed, and given to another file, under a sync of it. */
  let disk: Promise<void> = Promise.resolve();
  /** Of what the segment that was closed last holds. */
  let sealed: Promise<void> = Promise.resolve();
  /** A sync that has not begun: it covers what is written until it does. */
  let waitingSync: Promise<void> | undefined;
  let syncing = false;
  /** The write that another thread does; nothing else is written, and no segment closed, before its end. */
  let writing: Promise<void> | undefined;
  const listeners: (() => void)[] = [];

  function onDisk(work: () => Promise<void> | void): Promise<void> {
    const done = disk.then(work);
    disk = done.catch((error: unknown) => logger.error({ err: error }, 'fdatasync of the spool failed'));
    return done;
  }

  async function sync(descriptor: number): Promise<void> {
    syncing = true;
    try {
      await syncFile(descriptor);
    } finally {
      syncing = false;
    }
  }

  function syncActive(): Promise<void> {
    if (active === undefined) return sealed;
    const { descriptor } = active;
    waitingSync ??= onDisk(() => {
      waitingSync = undefined;
      return sync(descriptor);
    });
    return waitingSync;
  }

  /** Nothing is written to the active segment any more. */
  function takeActive(): typeof active {
    const taken = active;
    active = undefined;
    waitingSync = undefined;
    if (taken !== undefined) taken.segment.open = false;
    return taken;
  }

  function rotate(): void {
    const closed = takeActive();
    if (closed === undefined) return;
    // Not in this turn: writing 64 MiB back would hold up every request.
    sealed = onDisk(() => sync(closed.descriptor));
    void sealed.catch(() => undefined); // logged
    void onDisk(() => closeSync(closed.descriptor));
  }

  function openSegment(): NonNullable<typeof active> {
    if (active !== undefined) return active;
    const path = segmentPath(current.folder, current.next);
    const descriptor = openSync(path, 'a');
    const segment: Segment = { path, firstOffset: current.next, nextOffset: current.next, sizeBytes: 0, open: true };
    current.segments.push(segment);
    active = { segment, descriptor, sinceMs: performance.now() };
    return active;
  }

  function writeTurn(): void {
    if (writing !== undefined) return; // its end comes back here
    const batch = pending;
    pending = [];
    let room = limits.maxBytes - bytes;
    const taken: Pending[] = [];
    for (const item of batch) {
      if (item.record.sizeBytes <= Math.min(room, maxFrameBytes)) {
        taken.push(item);
        room -= item.record.sizeBytes;
      } else lose(item);
    }
    if (taken.length === 0) return;
    const end = frame(taken);
    try {
      const { descriptor } = openSegment();
      if (syncing) {
        writing = writeElsewhere(descriptor, taken, end);
        return;
      }
      for (let at = 0; at < end; ) at += writeSync(descriptor, scratch, at, end - at);
    } catch (error) {
      return fail(taken, error);
    }
    settle(taken, end);
  }

  /** By a thread of libuv's. */
  async function writeElsewhere(descriptor: number, taken: readonly Pending[], end: number): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    try {
      for (let at = 0; at < end; ) at += (await writeFile(descriptor, scratch, at, end - at, null)).bytesWritten;
    } catch (error) {
      failure = { error };
    }
    writing = undefined;
    if (failure === undefined) settle(taken, end);
    else fail(taken, failure.error);
    if (pending.length > 0) writeTurn();
  }

  /** Lays out frames in `scratch`; where they end. */
  function frame(taken: readonly Pending[]): number {
    const size = taken.reduce((sum, { record }) => sum + record.sizeBytes, 0);
    if (scratch.length < size) scratch = Buffer.allocUnsafe(size * 2);
    let end = 0;
    let offset = current.next;
    for (const { record } of taken) {
      end = writeFrame(scratch, end, offset, record);
      offset += 1;
    }
    return end;
  }

  /** They are in the active segment. */
  function settle(taken: readonly Pending[], sizeBytes: number): void {
    writeFailed = false;
    const { segment, sinceMs } = openSegment();
    current.next += taken.length;
    segment.nextOffset = current.next;
    segment.sizeBytes += sizeBytes;
    bytes += sizeBytes;
    unsynced = true;
    if (segment.sizeBytes >= limits.segmentBytes || performance.now() - sinceMs >= limits.segmentMs) rotate();
    const strict = taken.filter(({ fsync }) => fsync);
    for (const item of taken) if (!item.fsync) item.resolve('written');
    if (strict.length > 0)
      syncActive().then(
        () => strict.map((item) => item.resolve('written')),
        () => strict.map(lose),
      );
    for (const listener of listeners) listener();
  }

  function fail(taken: readonly Pending[], error: unknown): void {
    if (!writeFailed) logger.error({ err: error }, 'the spool cannot be written; predictions are being lost');
    writeFailed = true;
    abandonSegment();
    for (const item of taken) lose(item);
  }

  /**
   * After a failed write the file may hold whole frames of the turn that was lost, and half a one: their offsets are
   * given again, so they go, and later records come into a new file.
   */
  function abandonSegment(): void {
    const abandoned = takeActive();
    if (abandoned === undefined) return;
    const { segment, descriptor } = abandoned;
    try {
      ftruncateSync(descriptor, segment.sizeBytes);
    } catch (error) {
      logger.error({ err: error, path: segment.path }, 'a spool segment cannot be cut after a failed write');
    }
    void onDisk(() => closeSync(descriptor));
    if (segment.sizeBytes > 0) return;
    current.segments.splice(current.segments.indexOf(segment), 1);
    rmSync(segment.path, { force: true });
  }

  function lose(item: Pending): void {
    dropped += 1;
    item.resolve('lost');
  }

  const timer = setInterval(() => {
    if (active !== undefined && writing === undefined && performance.now() - active.sinceMs >= limits.segmentMs)
      rotate();
    if (!unsynced || active === undefined) return;
    unsynced = false;
    void syncActive().catch(() => undefined); // logged
  }, 1_000);
  timer.unref();

  return {
    epoch: current.id,
    epochs,
    append(record, fsync) {
      return new Promise((resolve) => {
        if (pending.length === 0) setImmediate(writeTurn);
        pending.push({ record, fsync, resolve });
      });
    },
    get full() {
      return bytes >= limits.maxBytes || writeFailed;
    },
    get bytes() {
      return bytes;
    },
    get dropped() {
      return dropped;
    },
    async markDelivered(epoch, next) {
      epoch.delivered = Math.max(epoch.delivered, next);
      for (let first = epoch.segments[0]; first !== undefined && !first.open && first.nextOffset <= epoch.delivered; ) {
        epoch.segments.shift();
        bytes -= first.sizeBytes;
        await rm(first.path, { force: true }); // by another thread: to free 64 MiB takes the kernel 20 ms
        first = epoch.segments[0];
      }
      if (epoch === current || epoch.segments.length > 0) return;
      epochs.splice(epochs.indexOf(epoch), 1);
      await rmdir(epoch.folder).catch(() => undefined); // holds something foreign
    },
    onWrite(listener) {
      listeners.push(listener);
    },
    async close() {
      clearInterval(timer);
      if (pending.length > 0) writeTurn();
      while (writing !== undefined) await writing;
      rotate();
      await disk;
      if (current.segments.length === 0) await rmdir(current.folder).catch(() => undefined);
    },
  };
}
