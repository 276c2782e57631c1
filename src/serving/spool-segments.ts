import { mkdir, open, readdir, readFile, rm, rmdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { probeFrame } from '#contracts/spool-frame';
import type { Logger } from '#platform/log';

/** One file of frames. The last one of the current epoch is open and grows. */
export interface Segment {
  readonly path: string;
  readonly firstOffset: number;
  nextOffset: number;
  sizeBytes: number;
  open: boolean;
}

/** The records of one start of the process, in order. */
export interface SpoolEpoch {
  readonly id: string;
  readonly folder: string;
  readonly segments: Segment[];
  /** Offset of the record to come. */
  next: number;
  /** Offset up to which the control plane has taken records, as far as known. */
  delivered: number;
}

export function segmentPath(folder: string, firstOffset: number): string {
  return join(folder, `${String(firstOffset).padStart(16, '0')}.seg`);
}

/**
 * Finds what earlier starts left behind and cuts each segment at its first bad frame: what was answered was written
 * whole before its answer, so only bytes of unanswered requests (or damage) are cut.
 */
export async function recoverEpochs(root: string, logger: Logger): Promise<SpoolEpoch[]> {
  await mkdir(root, { recursive: true });
  const epochs: SpoolEpoch[] = [];
  for (const id of (await readdir(root)).toSorted()) {
    const folder = join(root, id);
    const segments: Segment[] = [];
    for (const name of (await readdir(folder)).toSorted()) {
      const match = /^(\d{16})\.seg$/.exec(name);
      if (match?.[1] === undefined) continue;
      const segment = await recoverSegment(join(folder, name), Number(match[1]), logger);
      if (segment !== undefined) segments.push(segment);
    }
    const last = segments.at(-1);
    const first = segments[0];
    if (last === undefined || first === undefined)
      await rmdir(folder).catch(() => undefined); // holds something foreign
    else epochs.push({ id, folder, segments, next: last.nextOffset, delivered: first.firstOffset });
  }
  return epochs;
}

async function recoverSegment(path: string, firstOffset: number, logger: Logger): Promise<Segment | undefined> {
  const bytes = await readFile(path);
  let at = 0;
  let nextOffset = firstOffset;
  for (;;) {
    const probe = probeFrame(bytes, at, true);
    if (probe.state === 'end') break;
    if (probe.state !== 'whole' || probe.offset !== nextOffset) {
      logger.warn({ path, position: at, lostBytes: bytes.length - at }, 'spool segment cut at its first bad frame');
      await truncate(path, at);
      break;
    }
    at = probe.end;
    nextOffset += 1;
  }
  if (at === 0) {
    await rm(path, { force: true });
    return undefined;
  }
  return { path, firstOffset, nextOffset, sizeBytes: at, open: false };
}

export interface SpoolChunk {
  readonly from: number;
  readonly next: number;
  readonly frames: Buffer;
}

/** Frames are looked at for so long, then requests have their turn: a chunk of small ones takes milliseconds. */
const bytesATurn = 512 * 1024;

/** Reads frames of a segment from `offset` on, whole ones, `maxBytes` at most but one at least; into `room` where they fit. */
export async function readChunk(
  segment: Segment,
  offset: number,
  maxBytes: number,
  known: { readonly offset: number; readonly position: number } | undefined,
  room: Buffer,
): Promise<(SpoolChunk & { readonly endPosition: number }) | undefined> {
  const sizeBytes = segment.sizeBytes; // the open one may grow while it is read
  const file = await open(segment.path, 'r');
  try {
    const start = known !== undefined && known.offset <= offset ? known : { offset: segment.firstOffset, position: 0 };
    let { position, offset: at } = start;
    let wanted = maxBytes;
    for (;;) {
      const length = Math.min(wanted, sizeBytes - position);
      if (length === 0) return undefined;
      const bytes = length <= room.length ? room : Buffer.allocUnsafe(length);
      const { bytesRead } = await file.read(bytes, 0, length, position);
      const block = bytes.subarray(0, bytesRead);
      let end = 0;
      let from = 0;
      let probe = probeFrame(block, 0, false);
      let turnEnd = bytesATurn;
      while (probe.state === 'whole') {
        if (at < offset) from = probe.end;
        at += 1;
        end = probe.end;
        if (end > turnEnd) {
          await nextTurn();
          turnEnd = end + bytesATurn;
        }
        probe = probeFrame(block, end, false);
      }
      if (end > from)
        return {
          from: Math.max(offset, start.offset),
          next: at,
          frames: block.subarray(from, end),
          endPosition: position + end,
        };
      if (probe.state === 'bad' || (end === 0 && position + bytesRead === sizeBytes)) return undefined;
      if (end === 0) wanted *= 2; // one frame is longer than the chunk
      position += end;
    }
  } finally {
    await file.close();
  }
}
