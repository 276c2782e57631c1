import type { Reader } from '#platform/database';
import { listModelTags } from './model-store.ts';
import type { Tag } from './registry-types.ts';

/** Prompts are models with this tag, as MLflow's clients make them. */
export const promptTag = 'mlflow.prompt.is_prompt';
export const isPromptTag: Tag = { key: promptTag, value: 'true' };

/** The tag of a version that holds what a prompt says. */
const promptTextTag = 'mlflow.prompt.text';

/** What a version of a prompt says: a template, or messages as JSON. */
export const promptTextOf = (version: { readonly tags: readonly Tag[] }): string | undefined =>
  version.tags.find(({ key }) => key === promptTextTag)?.value;

/** Whether these tags make a model, or a version, a prompt. Of a key given twice the last counts. */
export function isPrompt(tags: readonly Tag[]): boolean {
  return tags.findLast(({ key }) => key === promptTag)?.value.toLowerCase() === 'true';
}

/** What an event says of a model that is a prompt. */
export async function promptFact(reader: Reader, modelKey: string): Promise<{ readonly prompt?: true }> {
  const tags = await listModelTags(reader, [modelKey]);
  return isPrompt(tags.get(modelKey) ?? []) ? { prompt: true } : {};
}
