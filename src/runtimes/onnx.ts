import { Worker } from 'node:worker_threads';
import type { ModelSignature, Tensor } from '#contracts/tensor';
import { AppError } from '#platform/errors';
import { packagePath } from '#platform/package-path';
import { silenceOnnxruntime } from './onnx-telemetry.ts';
import { type PackedTensors, packTensors, unpackTensors } from './packed-tensors.ts';
import type { LoadedModel, Runtime } from './runtime.ts';
import { runtimeErrors } from './runtime-errors.ts';
import { createSharedFiles, hasBytes } from './shared-files.ts';

/** ONNX in this thread, for a worker process that has nothing else to do meanwhile. */
export function createOnnxRuntime(): Runtime {
  const models = new Set<LoadedModel>();
  return {
    kind: 'onnx',
    async load({ mainPath }) {
      silenceOnnxruntime();
      const { openOnnxSession } = await import('./onnx-session.ts'); // the native library loads with the first model
      const session = await openOnnxSession(mainPath);
      let loaded = true;
      const model: LoadedModel = {
        signature: session.signature,
        droppedOutputs: session.droppedOutputs,
        async predict(inputs, outputs) {
          if (!loaded) throw runtimeErrors.MODEL_UNLOADED();
          return session.run(inputs, outputs);
        },
        async unload() {
          if (!loaded) return;
          loaded = false;
          models.delete(model);
          await session.release();
        },
      };
      models.add(model);
      return model;
    },
    async close() {
      for (const model of models) await model.unload();
    },
  };
}

/** What goes to the thread (`onnx-thread.ts`), and what comes back in the same order. */
export type ThreadRequest = { readonly model: number } & (
  | { readonly kind: 'load'; readonly path: string }
  | {
      readonly kind: 'run';
      readonly tensors: PackedTensors;
      /** The names of the tensors, and of the outputs that are asked for: both only where they are not all of the model's in order. */
      readonly inputs?: readonly string[];
      readonly outputs?: readonly string[];
    }
  | { readonly kind: 'unload' }
);
export interface ThreadReply {
  readonly signature?: ModelSignature;
  readonly droppedOutputs?: readonly string[];
  readonly tensors?: PackedTensors;
  readonly error?: { readonly code: string; readonly message: string };
}

interface Waiting {
  readonly resolve: (reply: ThreadReply) => void;
  readonly reject: (error: Error) => void;
}
interface Thread {
  ask(request: ThreadRequest): Promise<ThreadReply>;
  stop(): Promise<void>;
}

// A thread's entry must be JavaScript; tests run the sources, so they start the built one.
const entry = packagePath('dist', 'program', 'onnx-thread.js');

/** Of a tensor's external data, by whose key in the file (a field 1 of 8 bytes) they are known. */
const externalData = Buffer.from('\n\blocation');

/**
 * ONNX in one worker thread that starts with the first model: the caller's event loop stays free while a model runs.
 * A thread that dies fails the requests it had; the next one gets a new thread and the models are loaded again. A file that
 * is loaded several times, as a model alone and as a member of graphs, has one session.
 */
export function createOnnxThreadRuntime(): Runtime {
  let thread: Thread | undefined;
  let lastModel = 0;
  let isClosed = false;
  const sessions = createSharedFiles<{
    readonly model: number;
    readonly signature: ModelSignature;
    readonly droppedOutputs: readonly string[];
  }>({
    async open(path) {
      lastModel += 1;
      const model = lastModel;
      const { signature, droppedOutputs = [] } = await acquire().ask({ kind: 'load', model, path });
      if (signature === undefined) throw runtimeErrors.MODEL_LOAD_FAILED('the thread gave no signature');
      return { model, signature, droppedOutputs };
    },
    async close({ model }) {
      if (!isClosed) await thread?.ask({ kind: 'unload', model });
    },
    isWhole: async (path) => !(await hasBytes(path, externalData)),
  });

  const acquire = (): Thread => {
    if (thread !== undefined) return thread;
    const started = startThread(() => {
      if (thread === started) thread = undefined;
    });
    thread = started;
    // Messages keep their order, so a run that is sent next finds its model loaded.
    for (const { value, path } of sessions.list())
      started.ask({ kind: 'load', model: value.model, path }).catch(() => undefined); // the run says it
    return started;
  };

  return {
    kind: 'onnx',
    async load({ mainPath }) {
      const session = await sessions.open(mainPath);
      const { model, signature, droppedOutputs } = session.value;
      const ownInputs = signature.inputs.map(({ name }) => name);
      const ownOutputs = signature.outputs.map(({ name }) => name);
      let isLoaded = true;

      async function run(requests: readonly (readonly Tensor[])[], outputs: readonly string[] = ownOutputs) {
        if (!isLoaded || isClosed) throw runtimeErrors.MODEL_UNLOADED();
        const [inputs = []] = requests;
        const reply = await acquire().ask({
          kind: 'run',
          model,
          tensors: packTensors(requests),
          ...(!areNamed(inputs, ownInputs) && { inputs: inputs.map(({ name }) => name) }),
          ...(!areEqual(outputs, ownOutputs) && { outputs }),
        });
        return reply.tensors === undefined ? [] : unpackTensors(reply.tensors, outputs);
      }

      return {
        signature,
        droppedOutputs,
        predict: (inputs, outputs) => run([inputs], outputs),
        predictTogether: (requests, outputs) => run(requests, outputs),
        async unload() {
          isLoaded = false;
          await session.release();
        },
      };
    },
    async close() {
      isClosed = true;
      await thread?.stop();
    },
  };
}

function areNamed(tensors: readonly Tensor[], names: readonly string[]): boolean {
  if (tensors.length !== names.length) return false;
  for (let at = 0; at < names.length; at += 1) if (tensors[at]?.name !== names[at]) return false;
  return true;
}

function areEqual(some: readonly string[], others: readonly string[]): boolean {
  if (some.length !== others.length) return false;
  for (let at = 0; at < others.length; at += 1) if (some[at] !== others[at]) return false;
  return true;
}

function startThread(onEnd: () => void): Thread {
  silenceOnnxruntime();
  // No flags of the parent: a test runner's would send the thread to the sources.
  const worker = new Worker(entry, { name: 'onnx', execArgv: [] });
  /** In the order of the requests, which is that of the answers. */
  let waiting: Waiting[] = [];
  let failure: Error | undefined;

  const end = (reason: Error) => {
    if (failure !== undefined) return;
    failure = reason;
    onEnd();
    for (const { reject } of waiting) reject(reason);
    waiting = [];
  };
  worker.on('message', (reply: ThreadReply) => {
    const asked = waiting.shift();
    if (waiting.length === 0) worker.unref(); // an idle thread keeps nobody's process alive
    if (reply.error === undefined) asked?.resolve(reply);
    else asked?.reject(toAppError(reply.error));
  });
  worker.on('error', (error) => end(runtimeErrors.MODEL_WORKER_LOST(`its thread died: ${String(error)}`)));
  worker.on('exit', (code) => end(runtimeErrors.MODEL_WORKER_LOST(`its thread ended with code ${code}`)));

  return {
    ask(request) {
      if (failure !== undefined) return Promise.reject(failure);
      return new Promise((resolve, reject) => {
        if (waiting.length === 0) worker.ref();
        waiting.push({ resolve, reject });
        worker.postMessage(request, request.kind === 'run' ? [request.tensors[0]] : []);
      });
    },
    async stop() {
      await worker.terminate();
    },
  };
}

function toAppError({ code, message }: { readonly code: string; readonly message: string }): Error {
  return new AppError(code, code === 'MODEL_LOAD_FAILED' ? 'invalid' : 'internal', message);
}
