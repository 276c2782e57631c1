import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex, Readable } from 'node:stream';
import type { ModelSignature, Tensor } from '#contracts/tensor';
import { signalGroup } from '#platform/processes';
import { runtimeErrors } from '../runtime-errors.ts';
import {
  createFrameReader,
  decodeTensors,
  encodeFrame,
  encodePredict,
  type Frame,
  frameKinds,
  protocolVersion,
} from './worker-frames.ts';

/** How a process is started that will hold one model. */
export interface WorkerProgram {
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  /** All that it sees; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
}

/** What it is asked to load. */
export interface WorkerLoad {
  readonly folder: string;
  readonly main: string;
  readonly signature?: ModelSignature;
  readonly maxMemoryBytes?: number;
}

/** What a worker says of the model that it has loaded. */
export interface LoadedInWorker {
  readonly signature: ModelSignature;
  /** Library and version, for the log. */
  readonly about: string;
  readonly takesParameters: boolean;
}

export interface WorkerRequest {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly string[];
  readonly parameters: Readonly<Record<string, unknown>> | undefined;
}

export interface WorkerListener {
  /** A line that the process has printed. */
  line(text: string): void;
  /** Where in the model a request failed; the caller hears of the message alone. */
  trace(text: string): void;
  /** The worker asks to be replaced by a new one. */
  spent(): void;
}

/**
 * One process with one model, in a session of its own, with a socket as its descriptor 3 and nothing else of ours:
 *
 *   loading ──(loaded)──► ready ──(stop, or it dies)──► gone
 *      └──(failed, timeout, it dies)──► gone
 *
 * Whatever was asked of it when it goes is answered MODEL_WORKER_LOST.
 */
export interface WorkerProcess {
  readonly pid: number | undefined;
  /** MODEL_LOAD_FAILED with the reason. */
  readonly ready: Promise<LoadedInWorker>;
  /** Resolves when the process is gone, with how it ended. */
  readonly gone: Promise<string>;
  readonly inFlight: number;
  readonly answered: number;
  /** When the request began that is under way, by performance.now(); undefined when it is idle. */
  readonly busySinceMs: number | undefined;
  predict(request: WorkerRequest): Promise<readonly Tensor[]>;
  /** Lets it answer what it has, then closes its socket, upon which it ends; by force when it does not. */
  stop(): Promise<void>;
  kill(reason: string): void;
}

interface Waiting {
  readonly sinceMs: number;
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: Error) => void;
}

const loadId = 0;
/** What a process that has ended may still have written is read by then. */
const lastWordsMs = 200;
const stopMs = 2_000;
const tailLines = 8;

export function startWorker(
  program: WorkerProgram,
  load: WorkerLoad,
  timeoutMs: number,
  listener: WorkerListener,
): WorkerProcess {
  const [file, ...args] = program.command;
  const child = spawn(file, args, {
    cwd: program.cwd,
    env: program.env,
    detached: true, // a session of its own: it can be ended with all that it started, and hears no signal of our terminal
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const socket = child.stdio[3] as Duplex; // 'pipe' makes a pair of connected Unix sockets
  const waiting = new Map<number, Waiting>();
  const tail: string[] = [];
  let lastId = loadId;
  let answered = 0;
  let isReady = false;
  let ended: string | undefined;
  let idlers: (() => void)[] = [];
  let tellGone: (reason: string) => void = () => undefined;
  const gone = new Promise<string>((resolve) => {
    tellGone = resolve;
  });

  function end(reason: string): void {
    if (ended !== undefined) return;
    ended = reason;
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL'); // with what it has started
    socket.destroy();
    for (const [id, { reject }] of waiting)
      reject(id === loadId ? loadFailure(reason, tail) : runtimeErrors.MODEL_WORKER_LOST(reason));
    waiting.clear();
    tellGone(reason);
    tellIdle();
  }

  function tellIdle(): void {
    for (const resolve of idlers) resolve();
    idlers = [];
  }

  function ask(id: number, frame: Buffer): Promise<Frame> {
    if (ended !== undefined) return Promise.reject(runtimeErrors.MODEL_WORKER_LOST(ended));
    return new Promise((resolve, reject) => {
      waiting.set(id, { sinceMs: performance.now(), resolve, reject });
      socket.write(frame);
    });
  }

  function take(frame: Frame): void {
    const asked = waiting.get(frame.id);
    if (asked === undefined) throw new Error(`it answered request ${frame.id}, which nobody made`);
    waiting.delete(frame.id);
    if (frame.id !== loadId) answered += 1;
    if (waiting.size === 0) tellIdle();
    if (frame.kind !== frameKinds.failed) return asked.resolve(frame);
    const { message, trace, replace } = JSON.parse(frame.header) as {
      readonly message?: string;
      readonly trace?: string;
      readonly replace?: boolean;
    };
    if (trace !== undefined) listener.trace(trace);
    if (replace === true) listener.spent();
    const reason = message ?? 'it gave no reason';
    asked.reject(
      frame.id === loadId ? runtimeErrors.MODEL_LOAD_FAILED(reason) : runtimeErrors.MODEL_RUN_FAILED(reason),
    );
  }

  const read = createFrameReader(take);
  socket.on('data', (chunk: Buffer) => {
    if (ended !== undefined) return;
    try {
      read(chunk);
    } catch (error) {
      end(`it does not keep the protocol: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
  socket.on('error', () => undefined); // 'close' follows
  listenForEnd(child, socket, end);
  for (const stream of [child.stdout, child.stderr])
    if (stream !== null)
      forwardLines(stream, (line) => {
        tail.push(line);
        if (tail.length > tailLines) tail.shift();
        listener.line(line);
      });

  async function loadModel(): Promise<LoadedInWorker> {
    const timer = setTimeout(() => end(`it did not get ready within ${timeoutMs / 1000} s`), timeoutMs);
    try {
      const frame = await ask(loadId, encodeFrame(frameKinds.load, loadId, { protocol: protocolVersion, ...load }));
      const loaded = readLoaded(frame);
      isReady = true;
      return loaded;
    } catch (error) {
      end('its model could not be loaded');
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    pid: child.pid,
    ready: loadModel(),
    gone,
    get inFlight() {
      return waiting.size;
    },
    get answered() {
      return answered;
    },
    get busySinceMs() {
      for (const { sinceMs } of waiting.values()) return isReady ? sinceMs : undefined; // the oldest comes first
      return undefined;
    },
    async predict({ inputs, outputs, parameters }) {
      lastId = lastId >= 0xffff_ffff ? 1 : lastId + 1;
      const frame = await ask(lastId, encodePredict(lastId, inputs, outputs, parameters));
      try {
        return decodeTensors(frame);
      } catch (error) {
        throw runtimeErrors.MODEL_RUN_FAILED(error instanceof Error ? error.message : String(error));
      }
    },
    async stop() {
      if (waiting.size > 0) await new Promise<void>((resolve) => idlers.push(resolve));
      socket.end();
      const timer = setTimeout(() => end('it was stopped and did not end by itself'), stopMs);
      await gone;
      clearTimeout(timer);
    },
    kill: end,
  };
}

/** It is over when the process has ended and all that it wrote has been read. A closed socket alone ends it as well. */
function listenForEnd(child: ChildProcess, socket: Duplex, end: (reason: string) => void): void {
  let how: string | undefined;
  let closed = false;
  const later = (ms: number, reason: () => string) => setTimeout(() => end(reason()), ms).unref();
  child.once('error', (error) => end(`it could not be started: ${error.message}`));
  child.once('exit', (code, signal) => {
    how = signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`;
    if (closed) return end(how);
    const reason = how;
    later(lastWordsMs, () => reason);
  });
  socket.once('close', () => {
    closed = true;
    if (how !== undefined) return end(how);
    later(stopMs, () => 'it closed its socket');
  });
}

/** A process that dies while it loads says why on its standard error, if at all. */
function loadFailure(reason: string, tail: readonly string[]): Error {
  const words = tail.join('\n').trim();
  return runtimeErrors.MODEL_LOAD_FAILED(words === '' ? reason : `${reason}; it last printed: ${words}`);
}

function readLoaded({ kind, header }: Frame): LoadedInWorker {
  const { signature, about, takesParameters } = JSON.parse(header) as Partial<LoadedInWorker>;
  if (kind !== frameKinds.loaded || !isSignature(signature))
    throw runtimeErrors.MODEL_LOAD_FAILED('its worker gave no signature');
  return { signature, about: about ?? '', takesParameters: takesParameters === true };
}

function isSignature(given: ModelSignature | undefined): given is ModelSignature {
  return [given?.inputs, given?.outputs].every(
    (side) => Array.isArray(side) && side.every((one) => typeof one?.name === 'string' && Array.isArray(one.shape)),
  );
}

const longestLine = 4_000;

function forwardLines(stream: Readable, hear: (line: string) => void): void {
  let begun = '';
  stream.setEncoding('utf8');
  stream.on('error', () => undefined);
  stream.on('data', (chunk: string) => {
    const lines = (begun + chunk).split('\n');
    begun = (lines.pop() ?? '').slice(0, longestLine);
    for (const line of lines) if (line !== '') hear(line.slice(0, longestLine));
  });
  stream.on('end', () => {
    if (begun !== '') hear(begun);
  });
}
