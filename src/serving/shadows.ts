import type { PredictionEnvelope } from '#contracts/prediction-record';
import { prepareRecord } from '#contracts/spool-frame';
import type { Tensor } from '#contracts/tensor';
import { isAppError } from '#platform/errors';
import type { Ids } from '#platform/ids';
import type { Logger } from '#platform/log';
import { checkInputs } from '#runtimes/check-inputs';
import type { Endpoint, ServingState } from './endpoint.ts';
import type { LiveRevision } from './live-revision.ts';
import type { Spool } from './spool.ts';

/**
 * Runs the same rows on revisions whose answers nobody waits for. Work starts after the primary has been answered, a few
 * requests at a time so that they are batched among themselves; what does not fit the queue is dropped and counted.
 */
export interface ShadowQueue {
  offer(
    endpoint: Endpoint,
    serving: ServingState,
    primary: PredictionEnvelope,
    inputs: readonly Tensor[],
    captured: boolean,
  ): void;
  /** Resolves when all that was offered by now is done; what comes meanwhile is not waited for. */
  idle(): Promise<void>;
}

interface Shadow {
  readonly endpoint: Endpoint;
  readonly revision: LiveRevision;
  readonly primary: PredictionEnvelope;
  readonly inputs: readonly Tensor[];
  readonly captured: boolean;
}

export function createShadowQueue(deps: {
  readonly spool: Spool;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly maxQueued?: number;
  readonly atOnce?: number;
  readonly random?: () => number;
}): ShadowQueue {
  const { spool, ids, logger, maxQueued = 4_096, atOnce = 64, random = Math.random } = deps;
  let queue: Shadow[] = [];
  let running = false;
  let offered = 0;
  let done = 0;
  let waiting: { readonly upTo: number; readonly resolve: () => void }[] = [];

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.slice(0, atOnce);
      queue = queue.slice(atOnce);
      await Promise.all(
        batch.map((shadow) =>
          runShadow(shadow).catch((error: unknown) => {
            shadow.endpoint.drop();
            logger.error({ err: error, revision: shadow.revision.id }, 'a shadow could not be recorded');
          }),
        ),
      );
      done += batch.length;
      for (const { upTo, resolve } of waiting) if (upTo <= done) resolve();
      waiting = waiting.filter(({ upTo }) => upTo > done);
    }
    running = false;
  }

  async function runShadow({ endpoint, revision, primary, inputs, captured }: Shadow): Promise<void> {
    if (revision.record.state !== 'ready') {
      revision.record.shadowsDropped += 1; // replaced while the request waited
      return;
    }
    const counters = revision.record.shadow;
    const startedMs = performance.now();
    counters.received();
    let outputs: readonly Tensor[] = [];
    let failure: string | undefined;
    // Another version may take fewer columns: it gets those that it knows.
    const known = inputs.filter(({ name }) => revision.signature.inputs.some((input) => input.name === name));
    try {
      outputs = await revision.batcher.predict(checkInputs(revision.signature, known).inputs);
    } catch (error) {
      counters.failed(isAppError(error) ? error.kind : 'internal');
      failure = error instanceof Error ? error.message : String(error);
    }
    const durationUs = Math.round((performance.now() - startedMs) * 1000);
    if (failure === undefined) counters.answered(primary.rows, durationUs, undefined);
    if (!captured) return;
    const envelope: PredictionEnvelope = {
      ...primary,
      predictionId: ids.next(),
      shadowOf: primary.predictionId,
      role: 'shadow',
      reason: 'shadow',
      propensity: endpoint.serving?.shadows.find((shadow) => shadow.revision === revision)?.sampleRate ?? 1,
      revision: revision.id,
      modelRef: revision.modelRef,
      durationUs,
      status: failure === undefined ? 'ok' : 'error',
      ...(failure !== undefined && { error: failure }),
    };
    const result = await spool.append(prepareRecord(envelope, known, outputs), false);
    if (result === 'lost') endpoint.drop();
  }

  return {
    offer(endpoint, serving, primary, inputs, captured) {
      for (const { revision, sampleRate } of serving.shadows) {
        if (sampleRate < 1 && random() >= sampleRate) continue;
        if (queue.length >= maxQueued || revision.record.state !== 'ready') {
          revision.record.shadowsDropped += 1;
          continue;
        }
        queue.push({ endpoint, revision, primary, inputs, captured });
        offered += 1;
      }
      if (running || queue.length === 0) return;
      running = true;
      setImmediate(() => void drain()); // the primary is answered first
    },
    idle: () =>
      done === offered ? Promise.resolve() : new Promise((resolve) => void waiting.push({ upTo: offered, resolve })),
  };
}
