import { createHash } from 'node:crypto';
import type { Piece } from './blob-store.ts';

export interface RunningHash {
  /** Goes on, behind the caller's back, with what lies in place next to what was heard. */
  advance(): void;
  /** Waits a while for what lies in place to be heard but for so many, so that the end does not wait for all of it. */
  keepPace(mostBehind: number): Promise<void>;
  /** The digest of exactly these, from the beginning when other versions of them were heard. */
  finish(pieces: readonly Piece[]): Promise<string>;
}

/** A sender waits no longer: what stands between may give it up, and after a restart much has to be heard again. */
const mostWaitMs = 10_000;

/** The SHA-256 of pieces in their order, heard as they become contiguous, whatever order they come in. */
export function createRunningHash(source: {
  /** What lies in place under this number. */
  readonly next: (number: number) => Piece | undefined;
  /** Throws when the bytes are not those of the piece. */
  readonly read: (piece: Piece, hear: (chunk: Uint8Array) => void) => Promise<void>;
}): RunningHash {
  let hash = createHash('sha256');
  let heard: string[] = [];
  let running: Promise<void> | undefined;
  let step: Promise<void> = Promise.resolve();
  let finishing = false;

  function restart(): void {
    hash = createHash('sha256');
    heard = [];
  }

  async function hear(piece: Piece): Promise<void> {
    try {
      await source.read(piece, (chunk) => hash.update(chunk));
    } catch (error) {
      restart(); // half of it may have been heard
      throw error;
    }
    heard.push(piece.etag);
  }

  async function followPlaced(): Promise<void> {
    try {
      for (;;) {
        const piece = finishing ? undefined : source.next(heard.length + 1);
        if (piece === undefined) return;
        await (step = hear(piece));
      }
    } catch {
      // whoever asks for the digest meets it again
    } finally {
      running = undefined; // in the same turn in which nothing more was found
    }
  }

  return {
    advance() {
      if (!finishing && running === undefined && source.next(heard.length + 1) !== undefined) running = followPlaced();
    },
    async keepPace(mostBehind) {
      const untilMs = performance.now() + mostWaitMs;
      while (running !== undefined && source.next(heard.length + 1 + mostBehind) !== undefined) {
        if (performance.now() >= untilMs) return;
        await step.catch(() => undefined);
      }
    },
    async finish(pieces) {
      finishing = true;
      try {
        await running;
        if (heard.some((etag, index) => etag !== pieces[index]?.etag)) restart();
        for (const piece of pieces.slice(heard.length)) await hear(piece);
        return hash.copy().digest('hex');
      } finally {
        finishing = false;
      }
    },
  };
}
