import { nearestName } from '#contracts/nearest-name';
import { isTidemillError, TidemillError } from '../sdk/errors.ts';

/** Adds "did you mean" to a failure that says that there is no such thing. */
export async function withNearest<T>(
  answer: Promise<T>,
  known: () => Promise<readonly string[]>,
  wanted: unknown,
): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!isTidemillError(error) || error.kind !== 'not_found' || typeof wanted !== 'string') throw error;
    // a hint only: when the names cannot be had, the failure stands as it is
    const nearest = nearestName(
      wanted,
      (await known().catch(() => [])).filter((name) => name !== wanted),
    );
    if (nearest === undefined) throw error;
    throw new TidemillError(`${error.message}; did you mean "${nearest}"?`, error);
  }
}
