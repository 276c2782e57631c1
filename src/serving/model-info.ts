import type { Datatype, TensorSignature } from '#contracts/tensor';
import type { Histogram } from './counters.ts';
import type { Endpoint } from './endpoint.ts';
import { revisionOf, servingOf, versionsOf } from './model-versions.ts';

/**
 * What the Open Inference Protocol v2 and Triton's extensions tell of models, as plain objects under the protocol's own
 * names: REST prints them as JSON, gRPC fills its messages of the same names from them.
 */
export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}
export interface TensorMetadata {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/** As Triton names what it has; a runtime that it has not is named by itself. */
const platforms: Readonly<Record<string, string>> = { onnx: 'onnx_onnxruntime', graph: 'ensemble' };
const backends: Readonly<Record<string, string>> = { onnx: 'onnxruntime' };
const platformOf = (runtime: string): string => platforms[runtime] ?? runtime;

/** Triton's name of a datatype in configurations. */
export const tritonTypeOf = (datatype: Datatype): string => (datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`);

export function describeModel(endpoint: Endpoint, version: string | undefined): ModelMetadata {
  const { signature, runtime } = revisionOf(endpoint, version);
  return {
    name: endpoint.name,
    versions: versionsOf(servingOf(endpoint)),
    platform: platformOf(runtime),
    inputs: signature.inputs.map(toMetadata),
    outputs: signature.outputs.map(toMetadata),
  };
}

function toMetadata({ name, datatype, shape }: TensorSignature): TensorMetadata {
  return { name, datatype, shape };
}

export interface ModelConfig {
  readonly name: string;
  readonly platform: string;
  readonly backend: string;
  readonly version_policy:
    | { readonly specific: { readonly versions: readonly number[] } }
    | { readonly latest: object };
  /** 0: requests are not put together. */
  readonly max_batch_size: number;
  readonly input: readonly TensorConfig[];
  readonly output: readonly TensorConfig[];
  readonly dynamic_batching?: { readonly max_queue_delay_microseconds: number };
  readonly model_transaction_policy: { readonly decoupled: boolean };
}
export interface TensorConfig {
  readonly name: string;
  readonly data_type: string;
  /** Without the dimension of the batch where `max_batch_size` is not 0. */
  readonly dims: readonly number[];
}

/** The configuration that Triton would need to serve it alike. */
export function describeConfig(endpoint: Endpoint, version: string | undefined): ModelConfig {
  const { signature, runtime, isGraph, limits } = revisionOf(endpoint, version);
  const { maxRows, maxDelayMs = 0 } = limits;
  const batched =
    maxRows > 1 && !isGraph && [...signature.inputs, ...signature.outputs].every(({ shape }) => shape[0] === -1);
  const toConfig = ({ name, datatype, shape }: TensorSignature): TensorConfig => ({
    name,
    data_type: tritonTypeOf(datatype),
    dims: batched ? shape.slice(1) : shape,
  });
  const numbers = versionsOf(servingOf(endpoint)).map(Number);
  return {
    name: endpoint.name,
    platform: platformOf(runtime),
    backend: backends[runtime] ?? runtime,
    version_policy: numbers.every(Number.isSafeInteger) ? { specific: { versions: numbers } } : { latest: {} },
    max_batch_size: batched ? maxRows : 0,
    input: signature.inputs.map(toConfig),
    output: signature.outputs.map(toConfig),
    ...(batched && { dynamic_batching: { max_queue_delay_microseconds: maxDelayMs * 1_000 } }),
    model_transaction_policy: { decoupled: false },
  };
}

export type ModelState = 'READY' | 'UNAVAILABLE' | 'LOADING' | 'UNLOADING';
export interface IndexEntry {
  readonly name: string;
  /** Absent where a model has none yet. */
  readonly version?: string;
  readonly state: ModelState;
  readonly reason: string;
}

const indexStates = {
  loading: 'LOADING',
  ready: 'READY',
  failed: 'UNAVAILABLE',
  draining: 'UNLOADING',
  unloaded: 'UNAVAILABLE',
} as const;

/** Of two revisions of one version, as after a reload, the first of these tells most. */
const tellsMost: readonly ModelState[] = ['READY', 'LOADING', 'UNLOADING', 'UNAVAILABLE'];

/**
 * Every version that these endpoints have or had, or those that answer.
 * @param absence why an endpoint has no version
 */
export function listIndex(
  endpoints: readonly Endpoint[],
  onlyReady: boolean,
  absence: (project: string, name: string) => string,
): readonly IndexEntry[] {
  const all = endpoints.flatMap((endpoint): readonly IndexEntry[] => {
    const { project, name, records, error, spec } = endpoint;
    if (records.size === 0) return [{ name, state: 'UNAVAILABLE', reason: error ?? absence(project, name) }];
    const byVersion = new Map<string, IndexEntry>();
    for (const record of records.values()) {
      const state = indexStates[record.state];
      const known = byVersion.get(record.version);
      if (known !== undefined && tellsMost.indexOf(known.state) < tellsMost.indexOf(state)) continue;
      const reason = record.error ?? (record.state === 'unloaded' ? 'unloaded' : '');
      byVersion.set(record.version, { name, version: record.version, state, reason });
    }
    // what replaces a version that answers has failed: it answers on as it was, which who wrote the file should know
    const wanted = new Set(spec.revisions.map(({ id }) => id));
    for (const record of records.values()) {
      const known = byVersion.get(record.version);
      if (known?.state === 'READY' && record.state === 'failed' && wanted.has(record.id))
        byVersion.set(record.version, { ...known, reason: `as it was before its newest files: ${record.error}` });
    }
    return [...byVersion.values()];
  });
  return onlyReady ? all.filter(({ state }) => state === 'READY') : all;
}

/** How often, and for how long in all. */
export interface Duration {
  readonly count: number;
  readonly ns: number;
}

export interface ModelStatistics {
  readonly name: string;
  readonly version: string;
  /** Milliseconds since the epoch; 0 before the first. */
  readonly last_inference: number;
  /** Rows answered. */
  readonly inference_count: number;
  /** Runs of the model. */
  readonly execution_count: number;
  readonly inference_stats: {
    readonly success: Duration;
    readonly fail: Duration;
    readonly queue: Duration;
    readonly compute_input: Duration;
    readonly compute_infer: Duration;
    readonly compute_output: Duration;
    readonly cache_hit: Duration;
    readonly cache_miss: Duration;
  };
  /** Runs by their rows; of many rows by the power of two that they reach. Only the model's own part is told apart. */
  readonly batch_stats: readonly {
    readonly batch_size: number;
    readonly compute_input: Duration;
    readonly compute_infer: Duration;
    readonly compute_output: Duration;
  }[];
}

/** Of one version, or of each that is there; what shadows did is not theirs. VERSION_NOT_FOUND. */
export function modelStatistics(endpoint: Endpoint, version: string | undefined): readonly ModelStatistics[] {
  const revisions =
    version === undefined ? [...servingOf(endpoint).revisions.values()] : [revisionOf(endpoint, version)];
  return revisions.map(({ version: own, record }) => {
    const { run, runs, rows, failed, failedUs, answeredUs, stages, ...rest } = record.primary.figures();
    const stage = ({ sumUs }: Histogram): Duration => duration(run, sumUs);
    return {
      name: endpoint.name,
      version: own,
      last_inference: rest.lastAtMs ?? 0,
      inference_count: rows,
      execution_count: runs,
      inference_stats: {
        success: duration(run + rest.cacheHits, answeredUs),
        fail: duration(failed, failedUs),
        queue: stage(stages.queue),
        compute_input: stage(stages.input),
        compute_infer: stage(stages.infer),
        compute_output: stage(stages.output),
        cache_hit: duration(rest.cacheHits, rest.cacheHitUs),
        cache_miss: duration(rest.cacheMisses, 0),
      },
      batch_stats: rest.batches.map(({ rows: size, runs: count, inferUs }) => ({
        batch_size: size,
        compute_input: duration(count, 0),
        compute_infer: duration(count, inferUs),
        compute_output: duration(count, 0),
      })),
    };
  });
}

const duration = (count: number, us: number): Duration => ({ count, ns: Math.round(us * 1_000) });
