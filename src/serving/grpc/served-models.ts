import { nearestName } from '#contracts/nearest-name';
import type { TensorSignature } from '#contracts/tensor';
import type { Access, Caller } from '../access.ts';
import type { Endpoint, ServingState } from '../endpoint.ts';
import type { EndpointTable } from '../endpoint-table.ts';
import { findVersion } from '../inference.ts';
import type { LiveRevision } from '../live-revision.ts';
import { servingErrors } from '../serving-errors.ts';

/** The endpoints as one caller sees them. */
export interface CallableEndpoints {
  /** The endpoint and the caller's principal. ENDPOINT_NOT_FOUND, or why the caller may not call it. */
  find(project: string, name: string, caller: Caller): { readonly endpoint: Endpoint; readonly principal: string };
  /** Those that the caller may call; throws when there are some and that is none of them. */
  list(caller: Caller): readonly Endpoint[];
}

export function createCallableEndpoints(deps: {
  readonly table: EndpointTable;
  readonly access: Access;
  /** Where an endpoint is reached, as callers are told. */
  readonly placeOf: (endpoint: Endpoint) => string;
}): CallableEndpoints {
  const { table, access, placeOf } = deps;
  return {
    find(project, name, caller) {
      const endpoint = table.find(project, name);
      if (endpoint !== undefined) return { endpoint, principal: access.check(endpoint.spec.access, caller) };
      const known = table.list().filter(({ spec }) => access.allows(spec.access, caller));
      const elsewhere = known.filter((other) => other.name === name).map(placeOf);
      const here = known.filter((other) => other.project === project).map((other) => other.name);
      throw servingErrors.ENDPOINT_NOT_FOUND(name, project, elsewhere, nearestName(name, here));
    },
    list: (caller) => access.select(table.list(), caller),
  };
}

function servingOf({ serving, state, name, error }: Endpoint): ServingState {
  if (serving !== undefined) return serving;
  if (state === 'loading') throw servingErrors.ENDPOINT_LOADING(name);
  if (state === 'failed') throw servingErrors.ENDPOINT_FAILED(name, error ?? 'its model could not be loaded');
  throw servingErrors.ENDPOINT_WITHOUT_MODEL(name);
}

const versionsOf = (serving: ServingState): readonly string[] => [
  ...new Set([...serving.revisions.values()].map(({ version }) => version)),
];

/** The revision behind a version, else the one with the most traffic. VERSION_NOT_FOUND. */
export function revisionOf(endpoint: Endpoint, version: string | undefined): LiveRevision {
  const serving = servingOf(endpoint);
  const found =
    version === undefined
      ? serving.traffic.toSorted((a, b) => b.basisPoints - a.basisPoints)[0]?.target
      : findVersion(serving, version);
  if (found !== undefined) return found;
  throw servingErrors.VERSION_NOT_FOUND(endpoint.name, version ?? '', versionsOf(serving).join(', '));
}

export function describeModel(endpoint: Endpoint, version: string | undefined) {
  const { signature } = revisionOf(endpoint, version);
  return {
    name: endpoint.name,
    versions: versionsOf(servingOf(endpoint)),
    platform: 'onnx_onnxruntime',
    inputs: signature.inputs,
    outputs: signature.outputs,
  };
}

/** As Triton has it: a batched model's dimensions are told without that of the batch. */
export function describeConfig(endpoint: Endpoint, version: string | undefined) {
  const { id, signature } = revisionOf(endpoint, version);
  const maxBatchRows = endpoint.spec.revisions.find((revision) => revision.id === id)?.maxBatchRows ?? 256;
  const batched = maxBatchRows > 1 && [...signature.inputs, ...signature.outputs].every(({ shape }) => shape[0] === -1);
  const toConfig = ({ name, datatype, shape }: TensorSignature) => ({
    name,
    data_type: datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`,
    dims: batched ? shape.slice(1) : shape,
  });
  return {
    name: endpoint.name,
    platform: 'onnx_onnxruntime',
    backend: 'onnxruntime',
    max_batch_size: batched ? maxBatchRows : 0,
    input: signature.inputs.map(toConfig),
    output: signature.outputs.map(toConfig),
    ...(batched && { dynamic_batching: { max_queue_delay_microseconds: 0 } }),
  };
}

const indexStates = {
  loading: 'LOADING',
  ready: 'READY',
  failed: 'UNAVAILABLE',
  draining: 'UNLOADING',
  unloaded: 'UNAVAILABLE',
} as const;

/** Every version that these endpoints have or had, or those that answer. */
export function listIndex(endpoints: readonly Endpoint[], onlyReady: boolean) {
  const all = endpoints.flatMap(({ name, records, error }) =>
    records.size === 0
      ? [{ name, version: '', state: 'UNAVAILABLE', reason: error ?? 'declared, without a version to answer with yet' }]
      : [...records.values()].map((record) => ({
          name,
          version: record.version,
          state: indexStates[record.state],
          reason: record.error ?? (record.state === 'unloaded' ? 'unloaded' : ''),
        })),
  );
  return onlyReady ? all.filter(({ state }) => state === 'READY') : all;
}

const sum = (count: number, us: number) => ({ count, ns: us * 1_000 });

/** Of one version, or of each that is there. VERSION_NOT_FOUND. */
export function modelStatistics(endpoint: Endpoint, version: string | undefined) {
  const revisions =
    version === undefined ? [...servingOf(endpoint).revisions.values()] : [revisionOf(endpoint, version)];
  return revisions.map(({ version: own, record }) => {
    const figures = record.primary.figures();
    const { run, stages } = figures;
    return {
      name: endpoint.name,
      version: own,
      last_inference: figures.lastAtMs ?? 0,
      inference_count: figures.rows,
      execution_count: figures.runs,
      inference_stats: {
        success: sum(run + figures.cacheHits, figures.answeredUs),
        fail: sum(figures.failed, figures.failedUs),
        queue: sum(run, stages.queue.sumUs),
        compute_input: sum(run, stages.input.sumUs),
        compute_infer: sum(run, stages.infer.sumUs),
        compute_output: sum(run, stages.output.sumUs),
        cache_hit: sum(figures.cacheHits, figures.cacheHitUs),
        cache_miss: sum(figures.cacheMisses, 0),
      },
    };
  });
}
