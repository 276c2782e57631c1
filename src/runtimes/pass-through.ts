import { type ModelSignature, rowsOf } from '#contracts/tensor';
import type { Batcher, RunTerms } from './batcher.ts';
import type { LoadedModel } from './runtime.ts';

const noTerms: RunTerms = {};

/** In the place of a batcher for what puts rows together by itself (`LoadedModel.schedules`): each request is run as it comes. */
export function createPassThrough(model: LoadedModel, signature: ModelSignature): Batcher {
  const outputNames = signature.outputs.map(({ name }) => name);
  let pending = 0;
  let idlers: (() => void)[] = [];

  return {
    async predict(inputs, terms = noTerms) {
      pending += 1;
      const takenMs = performance.now();
      try {
        const outputs = await model.predict(inputs, outputNames, terms.parameters, terms);
        const rows = inputs[0] === undefined ? 1 : rowsOf(inputs[0]);
        return { outputs, run: { takenMs, inferFromMs: takenMs, inferToMs: performance.now(), rows, isFirst: true } };
      } finally {
        pending -= 1;
        if (pending === 0) {
          for (const resolve of idlers) resolve();
          idlers = [];
        }
      }
    },
    get pending() {
      return pending;
    },
    idle: () => (pending === 0 ? Promise.resolve() : new Promise((resolve) => void idlers.push(resolve))),
  };
}
