import { dirname } from 'node:path';
import type { SpecEndpoint, SpecRevision } from '#contracts/deployment-spec';
import type { ModelSignature, Tensor } from '#contracts/tensor';
import { AppError, isAppError } from '#platform/errors';
import type { Logger } from '#platform/log';
import { type BatchAnswer, type Batcher, type BatchLimits, createBatcher, type RunTerms } from '#runtimes/batcher';
import { joinSignature } from '#runtimes/check-inputs';
import { createPassThrough } from '#runtimes/pass-through';
import type { GraphObserver, LoadedModel, Runtime } from '#runtimes/runtime';
import { runtimeErrors } from '#runtimes/runtime-errors';
import { type Counters, createCounters } from './counters.ts';
import type { FileStore } from './file-store.ts';
import type { ModelMemory } from './model-memory.ts';
import { createNodeCounters, type NodeCounters } from './node-counters.ts';
import { openResidentModel, type ResidentModel } from './resident-model.ts';
import { warmUp } from './warm-up.ts';

/** What is counted of a revision outlives its being loaded: counters only grow while the process lives. */
export interface RevisionRecord {
  readonly id: string;
  /** What /v2 calls the version: of `model:name@4` the `4`, else the revision's id. */
  readonly version: string;
  readonly primary: Counters;
  readonly shadow: Counters;
  shadowsDropped: number;
  /** Rows of shadows that were laid beside the primary's answer, and those among them that differ. */
  rowsCompared: number;
  rowsDiffering: number;
  /** What the nodes of a graph did. */
  readonly nodes: NodeCounters;
  state: 'loading' | 'ready' | 'failed' | 'draining' | 'unloaded';
  error: string | undefined;
}

/** A revision that answers. */
export interface LiveRevision {
  readonly id: string;
  readonly modelRef: string;
  readonly version: string;
  /** The kind of what runs it: `onnx`. */
  readonly runtime: string;
  readonly signature: ModelSignature;
  readonly nullable: ReadonlySet<string>;
  /** Whether parameters of a request change its answer. */
  readonly takesParameters: boolean;
  /** Whether the rows' keys do: equal inputs may be answered otherwise. */
  readonly takesKeys: boolean;
  /** A graph, which puts rows together model by model. */
  readonly isGraph: boolean;
  readonly record: RevisionRecord;
  /** As the newest spec has them; as it was loaded with where that one does not name it any more. */
  readonly limits: BatchLimits;
  /** Runs rows that have passed `checkInputs`, with others' where that can be. A model that is away is waited for. */
  predict(inputs: readonly Tensor[], terms?: RunTerms): Promise<BatchAnswer>;
  /** Requests accepted and not yet answered. */
  readonly pending: number;
  readonly isLoaded: boolean;
  /** How often its model came back to memory. */
  readonly reloads: number;
  /** Frees the model once what runs on it has been answered. */
  drain(): Promise<void>;
}

const versionOf = ({ id, modelRef }: Pick<SpecRevision, 'id' | 'modelRef'>): string => modelRef.split('@')[1] ?? id;

const nameOf = ({ modelRef }: SpecRevision): string => modelRef.replace(/^model:/, '');

export function createRevisionRecord(revision: Pick<SpecRevision, 'id' | 'modelRef'>): RevisionRecord {
  return {
    id: revision.id,
    version: versionOf(revision),
    primary: createCounters(),
    shadow: createCounters(),
    shadowsDropped: 0,
    rowsCompared: 0,
    rowsDiffering: 0,
    nodes: createNodeCounters(),
    state: 'loading',
    error: undefined,
  };
}

const defaultMaxBatchRows = 256;
const defaultMaxQueued = 1_024;
const defaultTimeoutMs = 10_000;
/** A session of onnxruntime holds about the file again, and this much beside it. */
const sessionBytes = 400_000;

export interface LoadOptions {
  readonly spec: SpecRevision;
  /** The endpoint as it is described at the time of asking: its limits follow the newest spec. */
  readonly endpoint: () => SpecEndpoint;
  readonly record: RevisionRecord;
  readonly files: FileStore;
  readonly runtime: Runtime;
  readonly memory: ModelMemory;
  readonly logger: Logger;
}

/** Fetches, verifies, loads and warms up one revision. Throws with the reason when any of it fails. */
export async function loadRevision(options: LoadOptions): Promise<LiveRevision> {
  const { spec, endpoint, record, files, runtime, memory, logger } = options;
  const limits = followLimits(spec, endpoint);
  let waiting = 0;
  let batcher: Batcher | undefined;

  let mainPath = '';

  async function open(): Promise<LoadedModel> {
    mainPath = await files.materialise(spec.files, spec.runtime !== 'onnx');
    const { workers } = endpoint();
    const { signature: declared } = spec;
    return runtime
      .load({
        mainPath,
        ...(declared && { signature: declared }),
        ...(workers && { workers }),
        batching: limits,
        observer: countedOf(record),
      })
      .catch(async (error: unknown) => {
        await files.assertWhole(spec.files);
        throw error;
      });
  }

  const resident = await openResidentModel({
    name: `model ${nameOf(spec)} of "${endpoint().name}"`,
    estimatedBytes:
      (endpoint().workers?.count ?? 1) * (sessionBytes + spec.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)),
    memory,
    load: open,
    isPinned: () => endpoint().keepLoaded === true,
    idleMs: () => endpoint().idleMs,
    isBusy: () => record.state === 'loading' || waiting + (batcher?.pending ?? 0) > 0,
  });
  try {
    const { model } = resident;
    const signature = fitSignature(spec, model, () => files.explainMisfit?.(mainPath));
    const dropped = model.droppedOutputs ?? [];
    if (dropped.length > 0)
      logger.warn(
        { revision: spec.id },
        `model ${nameOf(spec)}: ${dropped.map((name) => `"${name}"`).join(', ')} of its outputs is no tensor and is not answered; export with zipmap=False`,
      );
    await warmUp(model, signature, spec, folderOf(mainPath, spec), logger);
    const own =
      model.schedules === true ? createPassThrough(model, signature) : createBatcher(model, signature, limits);
    batcher = own;

    const predictOnceLoaded = async (inputs: readonly Tensor[], terms: RunTerms | undefined) => {
      if (waiting >= limits.maxQueued) throw runtimeErrors.MODEL_QUEUE_FULL(waiting);
      waiting += 1;
      try {
        await within(resident.ensure(), terms?.deadlineMs);
      } finally {
        waiting -= 1; // and in the same turn it is the batcher's, so that the model stays
      }
      return own.predict(inputs, terms);
    };

    return {
      id: spec.id,
      modelRef: spec.modelRef,
      version: record.version,
      runtime: spec.runtime,
      signature,
      nullable: new Set(signature.inputs.filter(({ nullable }) => nullable === true).map(({ name }) => name)),
      takesParameters: model.takesParameters === true,
      takesKeys: model.takesKeys === true,
      isGraph: model.schedules === true,
      record,
      limits,
      predict: (inputs, terms) => (resident.isLoaded ? own.predict(inputs, terms) : predictOnceLoaded(inputs, terms)),
      get pending() {
        return waiting + own.pending;
      },
      get isLoaded() {
        return resident.isLoaded;
      },
      get reloads() {
        return resident.reloads;
      },
      async drain() {
        record.state = 'draining';
        while (waiting + own.pending > 0) await (waiting > 0 ? settled(resident) : own.idle());
        await resident.close();
        if (record.state === 'draining') record.state = 'unloaded'; // else it has been loaded again meanwhile
      },
    };
  } catch (error) {
    await resident.close();
    throw error;
  }
}

/** @param explain where what does not fit is declared */
function fitSignature(spec: SpecRevision, model: LoadedModel, explain: () => string | undefined): ModelSignature {
  try {
    return joinSignature(spec.signature, model.signature);
  } catch (error) {
    const where = isAppError(error, 'MODEL_SIGNATURE_MISMATCH') ? explain() : undefined;
    throw where !== undefined && error instanceof AppError
      ? new AppError(error.code, error.kind, `${error.message}; ${where}`)
      : error;
  }
}

/** What is tried while a revision is loaded is none of its work. */
function countedOf(record: RevisionRecord): GraphObserver {
  const isCounted = () => record.state !== 'loading';
  return {
    ran: (...done) => isCounted() && record.nodes.ran(...done),
    took: (...done) => isCounted() && record.nodes.took(...done),
  };
}

/** The folder of the model's files; the one to load may lie deeper. */
const folderOf = (mainPath: string, { files: [main] }: SpecRevision): string =>
  main !== undefined && mainPath.endsWith(main.path) ? mainPath.slice(0, -main.path.length) : dirname(mainPath);

async function settled(resident: ResidentModel): Promise<void> {
  await resident.ensure().catch(() => undefined); // who waits hears of it
}

/** The newest spec's limits, read once a spec rather than once a request. */
function followLimits(first: SpecRevision, endpoint: () => SpecEndpoint): BatchLimits {
  let of: SpecEndpoint | undefined;
  let limits: BatchLimits;
  const current = (): BatchLimits => {
    const described = endpoint();
    if (described === of) return limits;
    of = described;
    const revision = described.revisions.find(({ id }) => id === first.id) ?? first;
    limits = {
      maxRows: revision.maxBatchRows ?? defaultMaxBatchRows,
      maxDelayMs: revision.maxBatchDelayMs ?? 0,
      maxQueued: described.limits?.maxQueued ?? defaultMaxQueued,
      timeoutMs: described.limits?.timeoutMs ?? defaultTimeoutMs,
      maxConcurrent: described.limits?.maxConcurrent ?? Number.POSITIVE_INFINITY,
    };
    return limits;
  };
  return {
    get maxRows() {
      return current().maxRows;
    },
    get maxDelayMs() {
      return current().maxDelayMs ?? 0;
    },
    get maxQueued() {
      return current().maxQueued;
    },
    get timeoutMs() {
      return current().timeoutMs;
    },
    get maxConcurrent() {
      return current().maxConcurrent ?? Number.POSITIVE_INFINITY;
    },
  };
}

/** Waits no longer than the one who waits wants to. */
async function within(work: Promise<void>, deadlineMs: number | undefined): Promise<void> {
  if (deadlineMs === undefined) return work;
  const fromMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_resolve, reject) => {
    const give = () => reject(runtimeErrors.DEADLINE_PASSED(Math.round(performance.now() - fromMs)));
    timer = setTimeout(give, Math.max(0, deadlineMs - fromMs));
  });
  try {
    await Promise.race([work, passed]);
  } finally {
    clearTimeout(timer);
  }
}
