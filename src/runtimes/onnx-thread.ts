import { parentPort } from 'node:worker_threads';
import { isAppError } from '#platform/errors';
import type { ThreadReply, ThreadRequest } from './onnx.ts';
import { type OnnxSession, openOnnxSession } from './onnx-session.ts';
import { packTensors, unpackTensors } from './packed-tensors.ts';

// The entry of the worker thread that holds ONNX sessions. Requests are taken one after the other: a run blocks anyway.
const port = parentPort;
if (port === null) throw new Error('onnx-thread is the entry of a worker thread');
const sessions = new Map<number, OnnxSession>();

async function handle(request: ThreadRequest): Promise<ThreadReply> {
  switch (request.kind) {
    case 'load': {
      const session = await openOnnxSession(request.path);
      sessions.set(request.model, session);
      return { signature: session.signature, droppedOutputs: session.droppedOutputs };
    }
    case 'run': {
      const session = sessions.get(request.model);
      if (session === undefined) throw new Error(`no session ${request.model}`);
      const inputs = unpackTensors(request.tensors, request.inputs ?? session.inputs);
      return { tensors: packTensors([await session.run(inputs, request.outputs ?? session.outputs)]) };
    }
    case 'unload':
      await sessions.get(request.model)?.release();
      sessions.delete(request.model);
  }
  return {};
}

function toError(error: unknown): ThreadReply {
  const message = error instanceof Error ? error.message : String(error);
  return { error: { code: isAppError(error) ? error.code : 'MODEL_RUN_FAILED', message } };
}

async function answerAfter(before: Promise<void>, request: ThreadRequest): Promise<void> {
  await before;
  const reply = await handle(request).catch(toError);
  port?.postMessage(reply, reply.tensors === undefined ? [] : [reply.tensors[0]]);
}

let turn: Promise<void> = Promise.resolve();
port.on('message', (request: ThreadRequest) => {
  turn = answerAfter(turn, request);
});
