import { nearestName } from '#contracts/nearest-name';
import { isTidemillError, TidemillError } from '../sdk/errors.ts';
import type { Client } from '../sdk/index.ts';
import { projectNote } from './project-note.ts';

/** Says of what was not found what is known of it; undefined where that is nothing. */
export type Explain = (client: Client, wanted: string) => Promise<string | undefined>;

/** Of those another is as near as any: `2` is no slip for `3`. */
const isId = (text: string): boolean => /^(?:\d+|(?:m-|tr-)?[0-9a-f]{8}[0-9a-f-]*)$/i.test(text);

/** Adds "did you mean" to a failure that says that there is no such thing, or in which project it was looked for. */
export async function withNearest<T>(
  client: Client,
  answer: Promise<T>,
  known: () => Promise<readonly string[]>,
  wanted: unknown,
  explain: Explain = async () => undefined,
): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!isTidemillError(error) || error.kind !== 'not_found' || error.message.includes('did you mean')) throw error;
    // a hint only: when the names cannot be had, the failure stands as it is
    const explained = await explain(client, String(wanted)).catch(() => undefined);
    if (explained !== undefined) throw new TidemillError(explained, error);
    const names = typeof wanted === 'string' && !isId(wanted) ? await known().catch(() => []) : [];
    // a thing of that name is there: something else of it is missing, and another name mends nothing
    if (names.some((name) => name === wanted)) throw error;
    const nearest = nearestName(String(wanted), names);
    const hint = nearest === undefined ? await projectNote(client) : `; did you mean "${nearest}"?`;
    throw hint === '' ? error : new TidemillError(error.message + hint, error);
  }
}
