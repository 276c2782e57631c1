import type { RunPosition } from './run-search-plan.ts';
import { allRunFields, type RunFields } from './run-store.ts';
import { trackingErrors } from './tracking-errors.ts';

/** `metrics.auc, params, tags.team`: of a kind that is not named nothing, of one without a key all. */
export function parseRunFields(source: string | undefined): RunFields {
  if (source === undefined) return { ...allRunFields, inputs: false };
  const names = source.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]));
  const wanted = { metrics: new Set<string>(), params: new Set<string>(), tags: new Set<string>() };
  const whole = new Set<string>();
  for (const name of names) {
    if (name === 'none') continue;
    const [kind, key] = [name.split('.', 1)[0] ?? '', name.includes('.') ? name.slice(name.indexOf('.') + 1) : ''];
    if (kind !== 'metrics' && kind !== 'params' && kind !== 'tags')
      throw trackingErrors.TRACKING_VALUE_INVALID(
        `"${name}" names no field: write metrics, params or tags, or one of them such as metrics.auc, or none`,
      );
    if (key === '') whole.add(kind);
    else wanted[kind].add(key.replace(/^[`"](.*)[`"]$/s, '$1'));
  }
  const of = (kind: keyof typeof wanted) => (whole.has(kind) ? ('all' as const) : [...wanted[kind]]);
  return { metrics: of('metrics'), params: of('params'), tags: of('tags'), inputs: false };
}

/** `0, 3`: undefined when none is named, which means all. */
export const parseIds = (source: string | undefined): readonly string[] | undefined =>
  source?.split(',').flatMap((id) => (id.trim() === '' ? [] : [id.trim()]));

/** A place between two runs as the parts of a cursor, which cannot be null. */
export const toCursorParts = (position: RunPosition): readonly (string | number)[] =>
  position.flatMap(({ zone, value }) => [zone, value ?? '']);

export function toPosition(parts: readonly (string | number)[]): RunPosition {
  return Array.from({ length: Math.ceil(parts.length / 2) }, (_, index) => {
    const zone = Number(parts[2 * index]);
    return { zone, value: zone === 2 ? null : (parts[2 * index + 1] ?? null) };
  });
}
