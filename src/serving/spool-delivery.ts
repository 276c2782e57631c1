import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dataPlanePaths } from '#contracts/serving';
import { probeFrame } from '#contracts/spool-frame';
import type { Logger } from '#platform/log';
import { type ControlAnswer, type ControlClient, retryAfterMs } from './control-client.ts';
import type { Spool } from './spool.ts';
import { readChunk, type Segment, type SpoolEpoch } from './spool-segments.ts';

export interface DeliveryOptions {
  readonly spool: Spool;
  readonly client: ControlClient;
  readonly replica: string;
  /** Where frames are kept that the control plane cannot read. */
  readonly refusedFolder: string;
  readonly logger: Logger;
  /** How long records gather before they are sent, unless a chunk is full or a flush asks. */
  readonly paceMs: number;
  readonly chunkBytes: number;
}

/** Ships the spool to the control plane, oldest first, the open segment too. Nothing of it is on the request path. */
export interface SpoolDelivery {
  start(): void;
  /** Resolves when all that is written by now has been taken; waits as long as that lasts. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

const firstBackoffMs = 200;
const maxBackoffMs = 10_000;
/** What was damaged on the way only is well the next time. */
const triesOfBadFrame = 3;

export function createSpoolDelivery(options: DeliveryOptions): SpoolDelivery {
  const { spool, client, replica, refusedFolder, logger, paceMs, chunkBytes } = options;
  const stopping = new AbortController();
  let wake: (() => void) | undefined;
  let flushes: { readonly epoch: SpoolEpoch; readonly upTo: number; readonly resolve: () => void }[] = [];
  let backoffMs = 0;
  let place: { segment: Segment; offset: number; position: number } | undefined;
  let refused = { frame: '', times: 0 };
  let loop: Promise<void> | undefined;
  /** For one chunk after the other: none is read before the one before it was answered. */
  const room = Buffer.allocUnsafeSlow(chunkBytes);

  const waitingBytes = () => spool.bytes - (place?.segment.open === true ? place.position : 0);

  function sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (stopping.signal.aborted) return resolve();
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  spool.onWrite(() => {
    if (backoffMs === 0 && waitingBytes() >= chunkBytes) wake?.();
  });

  function settleFlushes(): void {
    for (const { epoch, upTo, resolve } of flushes) if (epoch.delivered >= upTo) resolve();
    flushes = flushes.filter(({ epoch, upTo }) => epoch.delivered < upTo);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const epoch = spool.epochs.find(isBehind);
      if (epoch === undefined) {
        settleFlushes();
        await sleep(paceMs);
        continue;
      }
      const sentBytes = await deliverOnce(epoch).catch((error: unknown) => {
        if (!stopping.signal.aborted && backoffMs === 0)
          logger.warn({ err: error }, 'spool delivery waits for the control plane');
        return -1;
      });
      settleFlushes();
      if (sentBytes < 0) {
        backoffMs = Math.min(maxBackoffMs, Math.max(firstBackoffMs, backoffMs * 2));
        await sleep(backoffMs * (0.75 + Math.random() / 2));
      } else {
        backoffMs = 0;
        // A short chunk means that the rest is still to come: let it gather.
        if (sentBytes < chunkBytes / 2 && flushes.length === 0) await sleep(paceMs);
      }
    }
  }

  /** Sends one chunk; the bytes sent, or -1 when the receiver asked to wait (after having waited). */
  async function deliverOnce(epoch: SpoolEpoch): Promise<number> {
    const segment = epoch.segments.find(({ nextOffset }) => nextOffset > epoch.delivered);
    if (segment === undefined) {
      await spool.markDelivered(epoch, epoch.next);
      return 0;
    }
    const offset = Math.max(epoch.delivered, segment.firstOffset);
    const known = place?.segment === segment ? place : undefined;
    const chunk = await readChunk(segment, offset, chunkBytes, known, room);
    if (chunk === undefined) {
      // Only damage that came after recovery leads here: what cannot be read cannot be sent.
      logger.error({ path: segment.path, offset }, 'spool segment cannot be read; its rest is lost');
      await spool.markDelivered(epoch, segment.nextOffset);
      return 0;
    }
    let answer = await put(epoch, chunk.from, chunk.frames, false);
    // The receiver wants records that we have no more: say so, and go on with what there is.
    if (answer.status === 409 && answer.next !== undefined && answer.next < chunk.from && isGone(epoch, answer.next))
      answer = await put(epoch, chunk.from, chunk.frames, true);
    if (answer.status === 409 && answer.next !== undefined) {
      place = undefined;
      if (answer.next < epoch.delivered) epoch.delivered = answer.next;
      else await spool.markDelivered(epoch, answer.next);
      return chunk.frames.length;
    }
    if (answer.status === 200 && answer.next !== undefined) {
      place = answer.next === chunk.next ? { segment, offset: chunk.next, position: chunk.endPosition } : undefined;
      await spool.markDelivered(epoch, answer.next);
      return chunk.frames.length;
    }
    if (answer.isBad) return dealWithBad(epoch, chunk.from, chunk.frames);
    if (answer.waitMs !== undefined) await sleep(answer.waitMs);
    if (answer.status !== 429 && answer.status !== 503)
      logger.warn({ status: answer.status, epoch: epoch.id, from: chunk.from }, 'the control plane refused a delivery');
    return -1;
  }

  /** One record that nobody can read must not hold up all that come after it. */
  async function dealWithBad(epoch: SpoolEpoch, offset: number, frames: Buffer): Promise<number> {
    const frame = `${epoch.id}-${offset}`;
    refused = { frame, times: refused.frame === frame ? refused.times + 1 : 1 };
    if (refused.times < triesOfBadFrame) return -1;
    const probe = probeFrame(frames, 0, false);
    const path = join(refusedFolder, `${frame}.frame`);
    await mkdir(refusedFolder, { recursive: true });
    await writeFile(path, probe.state === 'whole' ? frames.subarray(0, probe.end) : frames);
    const answer = await put(epoch, offset + 1, Buffer.alloc(0), true);
    if (answer.status !== 200 || answer.next === undefined) return -1;
    logger.error(
      { path, epoch: epoch.id, offset },
      'the control plane cannot read a prediction record: it is set aside',
    );
    place = undefined;
    await spool.markDelivered(epoch, answer.next);
    return frames.length;
  }

  async function put(epoch: SpoolEpoch, from: number, frames: Buffer, lost: boolean) {
    const answer = await client.send({
      method: 'PUT',
      path: dataPlanePaths.spool(replica, epoch.id, from, lost),
      headers: { 'content-type': 'application/octet-stream' },
      body: frames,
      timeoutMs: 60_000,
      signal: stopping.signal,
    });
    const next = answer.status === 200 || answer.status === 409 ? readNext(answer.body) : undefined;
    return { status: answer.status, next, isBad: isBadFrame(answer), waitMs: retryAfterMs(answer) };
  }

  return {
    start() {
      loop ??= run();
    },
    flush() {
      const behind = spool.epochs.filter(isBehind).map(
        (epoch) =>
          new Promise<void>((resolve) => {
            flushes.push({ epoch, upTo: epoch.next, resolve });
          }),
      );
      wake?.();
      return Promise.all(behind).then(() => undefined);
    },
    async stop() {
      stopping.abort();
      wake?.();
      await loop;
    },
  };
}

function isBehind(epoch: SpoolEpoch): boolean {
  return epoch.delivered < epoch.next;
}

function isGone({ segments }: SpoolEpoch, offset: number): boolean {
  return !segments.some(({ firstOffset, nextOffset }) => firstOffset <= offset && offset < nextOffset);
}

function isBadFrame({ status, body }: ControlAnswer): boolean {
  return status === 400 && codeOf(body) === 'SPOOL_FRAME_BAD';
}

function codeOf(body: Buffer): unknown {
  try {
    const { error } = JSON.parse(body.toString()) as { readonly error?: { readonly code?: unknown } };
    return error?.code;
  } catch {
    return undefined; // an answer of something between us and the control plane
  }
}

function readNext(body: Buffer): number | undefined {
  try {
    const { next } = JSON.parse(body.toString()) as { readonly next?: unknown };
    return typeof next === 'number' && Number.isSafeInteger(next) && next >= 0 ? next : undefined;
  } catch {
    return undefined; // an answer of something between us and the control plane
  }
}
