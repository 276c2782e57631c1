import { concatenate } from './batch-tensors.ts';
import { createOnnxThreadRuntime } from './onnx.ts';
import type { LoadedModel, ModelFiles, Runtime } from './runtime.ts';

/**
 * ONNX in as many worker threads as a model asks for (`workers.count`): each has a session of it, and a run goes to the
 * one with the least to do. Models that ask for one share the first thread; threads start with the first model that needs
 * them.
 */
export function createOnnxThreadsRuntime(): Runtime {
  const threads: Runtime[] = [];

  async function loadEverywhere(files: ModelFiles, count: number): Promise<readonly LoadedModel[]> {
    while (threads.length < count) threads.push(createOnnxThreadRuntime());
    const results = await Promise.allSettled(threads.slice(0, count).map((thread) => thread.load(files)));
    const loaded = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed === undefined) return loaded;
    await Promise.all(loaded.map((model) => model.unload()));
    throw failed.reason;
  }

  return {
    kind: 'onnx',
    async load(files) {
      const models = await loadEverywhere(files, files.workers?.count ?? 1);
      const [first] = models;
      if (first === undefined) throw new Error('a model needs one thread at least');
      return models.length === 1 ? first : joinInstances(first, models);
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

function joinInstances(first: LoadedModel, models: readonly LoadedModel[]): LoadedModel {
  const instances = models.map((model) => ({ model, running: 0 }));
  async function onFreest<Result>(run: (model: LoadedModel) => Promise<Result>): Promise<Result> {
    const free = instances.reduce((best, one) => (one.running < best.running ? one : best));
    free.running += 1;
    try {
      return await run(free.model);
    } finally {
      free.running -= 1;
    }
  }

  return {
    signature: first.signature,
    ...(first.droppedOutputs !== undefined && { droppedOutputs: first.droppedOutputs }),
    parallelism: models.length,
    predict: (inputs, outputs) => onFreest((model) => model.predict(inputs, outputs)),
    predictTogether: (requests, outputs) =>
      onFreest((model) => model.predictTogether?.(requests, outputs) ?? model.predict(concatenate(requests), outputs)),
    async unload() {
      await Promise.all(models.map((model) => model.unload()));
    },
  };
}
