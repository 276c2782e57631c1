import { InferenceSession, Tensor as OnnxTensor } from 'onnxruntime-node';
import type { Datatype, ModelSignature, NumberData, Tensor, TensorSignature } from '#contracts/tensor';
import { runtimeErrors } from './runtime-errors.ts';

const datatypeOf: Readonly<Record<string, Datatype>> = {
  bool: 'BOOL',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  float16: 'FP16',
  float32: 'FP32',
  float64: 'FP64',
  string: 'BYTES',
};
/** It has no BF16: a model that takes it does not load. */
const onnxTypeOf = Object.fromEntries(
  Object.entries(datatypeOf).map(([onnx, datatype]) => [datatype, onnx]),
) as Readonly<Record<Exclude<Datatype, 'BF16'>, OnnxTensor.Type>>;

export interface OnnxSession {
  readonly signature: ModelSignature;
  /** Outputs that have no tensor form, which nobody is answered: maps and sequences (skl2onnx with zipmap). */
  readonly droppedOutputs: readonly string[];
  /** The names of its inputs and of its outputs, in order. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  run(inputs: readonly Tensor[], outputs: readonly string[] | undefined): Promise<readonly Tensor[]>;
  release(): Promise<void>;
}

/**
 * Opens an ONNX model in this thread. Its `run` blocks the thread (the native call is synchronous), so a process that
 * answers others opens sessions in a worker thread (`onnx.ts`). One native thread a session: hundreds of tabular models
 * would otherwise make hundreds of spinning pools.
 */
export async function openOnnxSession(path: string): Promise<OnnxSession> {
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(path, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 4, // its errors reach us as exceptions; on stderr they would only repeat
    });
  } catch (cause) {
    throw runtimeErrors.MODEL_LOAD_FAILED(reasonOf(cause));
  }
  const signature: ModelSignature = {
    inputs: session.inputMetadata.map(toInput),
    outputs: session.outputMetadata.flatMap((output) => toSignature(output) ?? []),
  };
  if (signature.outputs.length === 0) {
    await session.release();
    throw runtimeErrors.MODEL_LOAD_FAILED('it has no tensor among its outputs (export with zipmap=False)');
  }
  const droppedOutputs = session.outputMetadata
    .map(({ name }) => name)
    .filter((name) => !signature.outputs.some((output) => output.name === name));
  const allOutputs = signature.outputs.map(({ name }) => name);

  return {
    signature,
    droppedOutputs,
    inputs: signature.inputs.map(({ name }) => name),
    outputs: allOutputs,
    async run(inputs, outputs = allOutputs) {
      try {
        const feeds: Record<string, OnnxTensor> = {};
        for (const tensor of inputs) feeds[tensor.name] = toOnnx(tensor);
        const results = await session.run(feeds, [...outputs], { logSeverityLevel: 4 });
        return outputs.map((name) => fromOnnx(name, results[name]));
      } catch (cause) {
        throw runtimeErrors.MODEL_RUN_FAILED(reasonOf(cause));
      }
    },
    release: () => session.release(),
  };
}

function toInput(metadata: InferenceSession.ValueMetadata): TensorSignature {
  const signature = toSignature(metadata);
  if (signature === undefined)
    throw runtimeErrors.MODEL_LOAD_FAILED(`input "${metadata.name}" is no tensor of a known type`);
  // onnxruntime-node hands texts over as C does: what follows U+0000 would be lost in silence
  return signature.datatype === 'BYTES' ? { ...signature, withoutNul: true } : signature;
}

function toSignature(metadata: InferenceSession.ValueMetadata): TensorSignature | undefined {
  if (!metadata.isTensor) return undefined;
  const datatype = datatypeOf[metadata.type];
  if (datatype === undefined) return undefined;
  return {
    name: metadata.name,
    datatype,
    shape: metadata.shape.map((dimension) => (typeof dimension === 'number' ? dimension : -1)),
  };
}

function toOnnx({ datatype, data, shape }: Tensor): OnnxTensor {
  if (datatype === 'BF16') throw new Error('onnxruntime for Node.js has no BF16');
  return new OnnxTensor(onnxTypeOf[datatype], data as NumberData | readonly string[], shape);
}

function fromOnnx(name: string, tensor: OnnxTensor | undefined): Tensor {
  const datatype = tensor && datatypeOf[tensor.type];
  if (tensor === undefined || datatype === undefined) throw new Error(`output "${name}" is no tensor`);
  return { name, datatype, shape: tensor.dims, data: tensor.data };
}

function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.split('\n')[0]?.slice(0, 500) ?? text;
}
