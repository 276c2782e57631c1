import { servingErrors } from './serving-errors.ts';
import { createTurns, type Turns } from './turns.ts';

/**
 * What requests hold in this process together, whatever the listener: bodies that are read, wait or run, and answers that
 * their clients have not taken yet. When there is no room a request is refused, and clients whose turn it is (to send the
 * rest of a body, to read an answer) are cut, those that have kept it for longest first: so that who is slow makes room for
 * who is not. Tensors and answers in the making come on top: a few times what the requests that run at once have sent.
 */
export interface RequestMemory {
  readonly budgetBytes: number;
  readonly usedBytes: number;
  /** Clients that were cut. */
  readonly cut: number;
  /** Counts bytes of a request; SERVER_BUSY when there is no room. A request that is alone always has room. */
  take(bytes: number): void;
  /** Counts bytes that are there already, such as an answer. */
  hold(bytes: number): void;
  give(bytes: number): void;
  /** Has an eye on a client whose turn it is, until what it answers is called. `cut` gives what is held for it at once. */
  watch(cut: () => void): () => void;
  /** Unpacks bodies, each of which takes more than it has counted. */
  readonly unpacking: Turns;
  close(): void;
}

export const defaultRequestMemoryBytes = 256 * 1024 ** 2;
/** Nobody is cut sooner, so that who is merely on a busy machine is not. */
const hurryMs = 1_000;
/** Nobody has the turn for longer, however much room there is. */
const patienceMs = 300_000;
const sweepMs = 5_000;
/** Half of the threads that Node.js has for it and for files. */
const unpackedAtOnce = 2;

interface Watched {
  readonly sinceMs: number;
  readonly cut: () => void;
}

export function createRequestMemory(budgetBytes = defaultRequestMemoryBytes): RequestMemory {
  /** In the order in which they came. */
  const watched = new Set<Watched>();
  let usedBytes = 0;
  let cut = 0;

  function cutSince(ageMs: number, until: () => boolean): void {
    const nowMs = performance.now();
    for (const one of watched) {
      if (nowMs - one.sinceMs < ageMs || until()) return;
      watched.delete(one);
      cut += 1;
      one.cut();
    }
  }

  const timer = setInterval(() => cutSince(patienceMs, () => false), sweepMs);
  timer.unref();

  return {
    budgetBytes,
    get usedBytes() {
      return usedBytes;
    },
    get cut() {
      return cut;
    },
    take(bytes) {
      if (usedBytes + bytes > budgetBytes && usedBytes > 0) {
        cutSince(hurryMs, () => usedBytes + bytes <= budgetBytes);
        if (usedBytes + bytes > budgetBytes && usedBytes > 0) throw servingErrors.SERVER_BUSY(budgetBytes);
      }
      usedBytes += bytes;
    },
    hold(bytes) {
      usedBytes += bytes;
    },
    give(bytes) {
      usedBytes -= bytes;
    },
    watch(cutIt) {
      const one: Watched = { sinceMs: performance.now(), cut: cutIt };
      watched.add(one);
      return () => void watched.delete(one);
    },
    unpacking: createTurns(unpackedAtOnce),
    close() {
      clearInterval(timer);
    },
  };
}
