import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex, Readable } from 'node:stream';
import type { ModelSignature, Tensor, TensorSignature } from '#contracts/tensor';
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

interface Waiting {
  readonly sinceMs: number;
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: Error) => void;
}

const loadId = 0;
const lastIdOfAll = 0xffff_ffff;
/** What a process that has ended may still have written is read by then. */
const lastWordsMs = 200;
const stopMs = 2_000;
const tailLines = 8;

/**
 * One process with one model, in a session of its own, with a socket as its descriptor 3 and nothing else of ours:
 *
 *   loading ──(loaded)──► ready ──(stop, or it dies)──► gone
 *      └──(failed, timeout, it dies)──► gone
 *
 * Whatever was asked of it when it goes is answered MODEL_WORKER_LOST.
 */
export class WorkerProcess {
  readonly pid: number | undefined;
  /** MODEL_LOAD_FAILED with the reason. */
  readonly ready: Promise<LoadedInWorker>;
  /** Resolves when the process is gone, with how it ended. */
  readonly gone: Promise<string>;
  /** Requests that it has answered, failed ones too. */
  answered = 0;
  readonly #listener: WorkerListener;
  readonly #socket: Duplex;
  readonly #waiting = new Map<number, Waiting>();
  /** The last lines that it has printed, for the reason of a load that failed. */
  readonly #tail: string[] = [];
  #lastId = loadId;
  #isReady = false;
  #ended: string | undefined;
  #onGone: ((reason: string) => void)[] = [];
  #onIdle: (() => void)[] = [];

  constructor(program: WorkerProgram, load: WorkerLoad, timeoutMs: number, listener: WorkerListener) {
    this.#listener = listener;
    const [file, ...args] = program.command;
    const child = spawn(file, args, {
      cwd: program.cwd,
      env: program.env,
      detached: true, // a session of its own: it ends with all that it started, and hears no signal of our terminal
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    this.pid = child.pid;
    this.#socket = child.stdio[3] as Duplex; // 'pipe' makes a pair of connected Unix sockets
    this.gone = new Promise((resolve) => this.#onGone.push(resolve));
    this.#listen(child);
    this.ready = this.#load(load, timeoutMs);
  }

  get inFlight(): number {
    return this.#waiting.size;
  }

  /** When the request began that is under way, by performance.now(); undefined when it is idle. */
  get busySinceMs(): number | undefined {
    for (const { sinceMs } of this.#waiting.values()) return this.#isReady ? sinceMs : undefined; // the oldest comes first
    return undefined;
  }

  async predict({ inputs, outputs, parameters }: WorkerRequest): Promise<readonly Tensor[]> {
    this.#lastId = this.#lastId === lastIdOfAll ? loadId + 1 : this.#lastId + 1;
    const frame = await this.#ask(this.#lastId, encodePredict(this.#lastId, inputs, outputs, parameters));
    try {
      return decodeTensors(frame);
    } catch (error) {
      throw runtimeErrors.MODEL_RUN_FAILED(error instanceof Error ? error.message : String(error));
    }
  }

  /** Lets it answer what it has, then closes its socket, upon which it ends; by force when it does not. */
  async stop(): Promise<void> {
    if (this.#waiting.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    this.#socket.end();
    const timer = setTimeout(() => this.kill('it was stopped and did not end by itself'), stopMs);
    await this.gone;
    clearTimeout(timer);
  }

  /** Ends it at once, with what it has started. */
  kill(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    if (this.pid !== undefined) signalGroup(this.pid, 'SIGKILL');
    this.#socket.destroy();
    for (const [id, { reject }] of this.#waiting)
      reject(id === loadId ? loadFailure(reason, this.#tail) : runtimeErrors.MODEL_WORKER_LOST(reason));
    this.#waiting.clear();
    for (const resolve of this.#onGone) resolve(reason);
    this.#tellIdle();
  }

  async #load(load: WorkerLoad, timeoutMs: number): Promise<LoadedInWorker> {
    const tooLate = `it did not get ready within ${timeoutMs / 1000} s`;
    const timer = setTimeout(() => this.kill(tooLate), timeoutMs);
    try {
      const request = encodeFrame(frameKinds.load, loadId, { protocol: protocolVersion, ...load });
      const loaded = readLoaded(await this.#ask(loadId, request));
      this.#isReady = true;
      return loaded;
    } catch (error) {
      this.kill('its model could not be loaded');
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #ask(id: number, frame: Buffer): Promise<Frame> {
    if (this.#ended !== undefined) return Promise.reject(runtimeErrors.MODEL_WORKER_LOST(this.#ended));
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { sinceMs: performance.now(), resolve, reject });
      this.#socket.write(frame);
    });
  }

  #take(frame: Frame): void {
    const asked = this.#waiting.get(frame.id);
    if (asked === undefined) throw new Error(`it answered request ${frame.id}, which nobody made`);
    this.#waiting.delete(frame.id);
    if (frame.id !== loadId) this.answered += 1;
    if (this.#waiting.size === 0) this.#tellIdle();
    if (frame.kind !== frameKinds.failed) return asked.resolve(frame);
    const failure = JSON.parse(frame.header) as {
      readonly message?: string;
      readonly trace?: string;
      readonly replace?: boolean;
      readonly invalid?: boolean;
    };
    if (failure.trace !== undefined) this.#listener.trace(failure.trace);
    if (failure.replace === true) this.#listener.spent();
    asked.reject(toError(frame.id, failure.invalid === true)(failure.message ?? 'it gave no reason'));
  }

  #tellIdle(): void {
    for (const resolve of this.#onIdle) resolve();
    this.#onIdle = [];
  }

  #listen(child: ChildProcess): void {
    const read = createFrameReader((frame) => this.#take(frame));
    this.#socket.on('data', (chunk: Buffer) => {
      if (this.#ended !== undefined) return;
      try {
        read(chunk);
      } catch (error) {
        this.kill(`it does not keep the protocol: ${error instanceof Error ? error.message : String(error)}`);
      }
    });
    this.#socket.on('error', () => undefined); // 'close' follows
    listenForEnd(child, this.#socket, (reason) => this.kill(reason));
    for (const stream of [child.stdout, child.stderr])
      if (stream !== null)
        forwardLines(stream, (line) => {
          this.#tail.push(line);
          if (this.#tail.length > tailLines) this.#tail.shift();
          this.#listener.line(line);
        });
  }
}

function toError(id: number, isInvalid: boolean): (reason: string) => Error {
  if (id === loadId) return runtimeErrors.MODEL_LOAD_FAILED;
  return isInvalid ? runtimeErrors.INPUT_INVALID : runtimeErrors.MODEL_RUN_FAILED;
}

/**
 * It is over when the process has ended and all that it wrote has been read, for which whatever it started and left
 * behind may not be waited. A closed socket alone ends it as well.
 */
function listenForEnd(child: ChildProcess, socket: Duplex, end: (reason: string) => void): void {
  let how = 'it closed its socket';
  const endIn = (ms: number) => setTimeout(() => end(how), ms).unref();
  child.once('error', (error) => end(`it could not be started: ${error.message}`));
  child.once('exit', (code, signal) => {
    how = signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`;
    endIn(lastWordsMs);
  });
  child.once('close', () => end(how));
  socket.once('close', () => endIn(stopMs));
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
  return [given?.inputs, given?.outputs].every((side) => Array.isArray(side) && side.every(isTensorSignature));
}

const isTensorSignature = ({ name, shape, columns = [] }: TensorSignature): boolean =>
  typeof name === 'string' &&
  Array.isArray(shape) &&
  Array.isArray(columns) &&
  columns.every((column) => typeof column === 'string');

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
