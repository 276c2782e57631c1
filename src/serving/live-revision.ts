import type { SpecEndpoint, SpecRevision } from '#contracts/deployment-spec';
import { emptyData, type ModelSignature, type Tensor } from '#contracts/tensor';
import type { Logger } from '#platform/log';
import { type Batcher, createBatcher } from '#runtimes/batcher';
import { checkInputs, joinSignature } from '#runtimes/check-inputs';
import type { LoadedModel, Runtime } from '#runtimes/runtime';
import { type Counters, createCounters } from './counters.ts';
import type { FileStore } from './file-store.ts';
import { parseInferRequest } from './infer-request.ts';

/** What is counted of a revision outlives its being loaded: counters only grow while the process lives. */
export interface RevisionRecord {
  readonly id: string;
  readonly primary: Counters;
  readonly shadow: Counters;
  shadowsDropped: number;
  state: 'loading' | 'ready' | 'failed' | 'draining' | 'unloaded';
  error: string | undefined;
}

/** A revision that answers. */
export interface LiveRevision {
  readonly id: string;
  readonly modelRef: string;
  /** What /v2 calls the version: of `model:name@4` the `4`, else the revision's id. */
  readonly version: string;
  readonly signature: ModelSignature;
  readonly nullable: ReadonlySet<string>;
  readonly batcher: Batcher;
  readonly record: RevisionRecord;
  /** Frees the model once what runs on it has been answered. */
  drain(): Promise<void>;
}

export function createRevisionRecord(id: string): RevisionRecord {
  return {
    id,
    primary: createCounters(),
    shadow: createCounters(),
    shadowsDropped: 0,
    state: 'loading',
    error: undefined,
  };
}

const defaultMaxBatchRows = 256;

/** Fetches, verifies, loads and warms up one revision. Throws with the reason when any of it fails. */
export async function loadRevision(options: {
  readonly spec: SpecRevision;
  /** The endpoint as it is described at the time of asking: its limits follow the newest spec. */
  readonly endpoint: () => SpecEndpoint;
  readonly record: RevisionRecord;
  readonly files: FileStore;
  readonly runtime: Runtime;
  readonly logger: Logger;
}): Promise<LiveRevision> {
  const { spec, endpoint, record, files, runtime, logger } = options;
  const mainPath = await files.materialise(spec.files);
  const model = await runtime.load({ mainPath }).catch(async (error: unknown) => {
    await files.assertWhole(spec.files);
    throw error;
  });
  try {
    const signature = joinSignature(spec.signature, model.signature);
    await warmUp(model, signature, spec.warmup, logger);
    const batcher = createBatcher(model, signature, {
      maxRows: spec.maxBatchRows ?? defaultMaxBatchRows,
      get maxQueued() {
        return endpoint().limits?.maxQueued ?? 1_024;
      },
      get timeoutMs() {
        return endpoint().limits?.timeoutMs ?? 10_000;
      },
    });
    return {
      id: spec.id,
      modelRef: spec.modelRef,
      version: spec.modelRef.split('@')[1] ?? spec.id,
      signature,
      nullable: new Set(signature.inputs.filter(({ nullable }) => nullable === true).map(({ name }) => name)),
      batcher,
      record,
      async drain() {
        record.state = 'draining';
        await batcher.idle();
        await model.unload();
        if (record.state === 'draining') record.state = 'unloaded'; // else it has been loaded again meanwhile
      },
    };
  } catch (error) {
    await model.unload();
    throw error;
  }
}

/** Declared requests must succeed. Without them one row of zeros is tried; a model may refuse such a row. */
async function warmUp(
  model: LoadedModel,
  signature: ModelSignature,
  requests: readonly unknown[] | undefined,
  logger: Logger,
): Promise<void> {
  for (const request of requests ?? []) {
    const { inputs } = parseInferRequest(Buffer.from(JSON.stringify(request)));
    await model.predict(checkInputs(signature, inputs).inputs);
  }
  if (requests !== undefined && requests.length > 0) return;
  try {
    await model.predict(signature.inputs.map(zeroRow));
  } catch (error) {
    logger.debug({ err: error }, 'the model refused a row of zeros as warm-up');
  }
}

function zeroRow({ name, datatype, shape: declared }: ModelSignature['inputs'][number]): Tensor {
  const shape = declared.map((dimension) => Math.max(dimension, 1));
  const count = shape.reduce((product, dimension) => product * dimension, 1);
  return {
    name,
    datatype,
    shape,
    data: datatype === 'BYTES' ? Array.from({ length: count }, () => '') : emptyData(datatype, count),
  };
}
