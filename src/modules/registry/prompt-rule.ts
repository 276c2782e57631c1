import type { Reader } from '#platform/database';
import { listModelTags } from './model-store.ts';
import type { Tag } from './registry-types.ts';

/** Prompts are models with this tag, as MLflow's clients make them. */
export const promptTag = 'mlflow.prompt.is_prompt';

/** Whether these tags make a model, or a version, a prompt. Of a key given twice the last counts. */
export function isPrompt(tags: readonly Tag[]): boolean {
  return tags.findLast(({ key }) => key === promptTag)?.value.toLowerCase() === 'true';
}

/** What an event says of a model that is a prompt. */
export async function promptFact(reader: Reader, modelKey: string): Promise<{ readonly prompt?: true }> {
  const tags = await listModelTags(reader, [modelKey]);
  return isPrompt(tags.get(modelKey) ?? []) ? { prompt: true } : {};
}
