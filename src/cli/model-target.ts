import { readReference } from '#contracts/references';
import { CliError } from './context.ts';

/** A version of a model as people name it: ours, or as MLflow's client does. */
const schemes = /^models?:/;

/** Whether something to serve is named by its registry; all else is a path. */
export const isModelTarget = (text: string): boolean => schemes.test(text);

/**
 * `model:late@champion`, `model:late@4`, and MLflow's `models:/late@champion`, `models:/late/4`. CliError
 * MODEL_REFERENCE_INVALID when it is neither, or says no version.
 */
export function parseModelTarget(text: string): { readonly name: string; readonly at: string } {
  const [, mlflowName, mlflowAt] = /^models:\/+([^/@]+)[/@]([^/@]+)$/.exec(text) ?? [];
  const reference = mlflowName === undefined ? readReference(text) : { kind: 'model', name: mlflowName, at: mlflowAt };
  if (reference?.kind === 'model' && reference.at !== undefined) return { name: reference.name, at: reference.at };
  throw new CliError(
    'MODEL_REFERENCE_INVALID',
    2,
    `"${text}" names no version of a model: write model:<name>@<alias or number> (MLflow's models:/<name>@<alias> will do)`,
  );
}
