import type { PlannedNode } from '#contracts/planned-graph';
import type { Tensor, TensorSignature } from '#contracts/tensor';
import { AppError, isAppError } from '#platform/errors';
import type { Batcher } from '../batcher.ts';
import type { GraphObserver } from '../runtime.ts';
import { runtimeErrors } from '../runtime-errors.ts';
import type { RunNode } from './evaluation.ts';
import { createOperation } from './operations.ts';

/** What a node is called, and who hears of its work. */
export interface NodeContext {
  readonly name: string;
  /** As errors call it: `node "score" (model:late-arrival@4)`. */
  readonly title: string;
  readonly observer: GraphObserver | undefined;
}

type Planned<Kind extends PlannedNode['kind']> = Extract<PlannedNode, { readonly kind: Kind }>;

/** The same error, saying at which node it came up. */
export function nameError(title: string, error: unknown): Error {
  if (isAppError(error)) return new AppError(error.code, error.kind, `${title}: ${error.message}`, { cause: error });
  return Object.assign(runtimeErrors.MODEL_RUN_FAILED(`${title}: ${String(error)}`), { cause: error });
}

/** A model: its rows are put together with those of other requests, and wait on the terms of their own one. */
export function createModelNode(
  { sources, inputs: wanted }: Planned<'model'>,
  batcher: Batcher,
  { name, title, observer }: NodeContext,
): RunNode {
  return async (evaluation) => {
    const given = await evaluation.tensors(sources);
    const fromMs = performance.now();
    try {
      const inputs = given.map((tensor, at) => fit(tensor, wanted[at], given[0]));
      const { outputs } = await batcher.predict(inputs, evaluation.terms);
      observer?.ran(name, evaluation.rows, performance.now() - fromMs, false);
      return outputs;
    } catch (error) {
      observer?.ran(name, evaluation.rows, performance.now() - fromMs, true);
      throw nameError(title, error);
    }
  };
}

/** What the plan could not know of shapes shows here, before other requests' rows are put beside these. */
function fit(tensor: Tensor, wanted: TensorSignature | undefined, first: Tensor | undefined): Tensor {
  if (wanted === undefined) return tensor;
  const { shape } = tensor;
  let fits = shape.length === wanted.shape.length;
  for (let at = 0; fits && at < shape.length; at += 1) {
    const dimension = wanted.shape[at];
    fits = dimension === -1 || dimension === shape[at];
  }
  if (!fits)
    throw runtimeErrors.MODEL_RUN_FAILED(
      `its input "${wanted.name}" came with shape [${shape.join(', ')}], it takes [${wanted.shape.join(', ')}]`,
    );
  if (wanted.shape[0] === -1 && first?.shape[0] !== shape[0])
    throw runtimeErrors.MODEL_RUN_FAILED(
      `its input "${wanted.name}" came with ${shape[0] ?? 'no'} rows, another with ${first?.shape[0] ?? 'none'}`,
    );
  return tensor.name === wanted.name ? tensor : { ...tensor, name: wanted.name };
}

/** @param isCallers whether what it works on is what the caller sent, who then hears that it was wrong */
export function createUseNode(
  { node, sources, outputs }: Planned<'use'>,
  isCallers: boolean,
  { name, title, observer }: NodeContext,
): RunNode {
  const operate = createOperation(node);
  const output = outputs[0]?.name ?? '';
  return async (evaluation) => {
    const given = await evaluation.tensors(sources);
    const fromMs = performance.now();
    try {
      const made = { ...operate(given), name: output };
      observer?.ran(name, evaluation.rows, performance.now() - fromMs, false);
      return [made];
    } catch (error) {
      observer?.ran(name, evaluation.rows, performance.now() - fromMs, true);
      throw nameError(title, isCallers && isAppError(error, 'MODEL_RUN_FAILED') ? blameCaller(error) : error);
    }
  };
}

const blameCaller = ({ message }: AppError): AppError =>
  runtimeErrors.INPUT_INVALID(message.replace(/^the model failed: /, ''));
