import { runSchema } from './run-search-schema.ts';
import type { Comparison, ComparisonOperator, Ordering } from './search-grammar.ts';
import { attributeOf, groupOf } from './search-store.ts';
import { trackingErrors } from './tracking-errors.ts';

/** What runs are ordered by, the first counts most. The last two are always the start and the id, so that no two are equal. */
export type SortTerm =
  | { readonly by: 'metric' | 'param' | 'tag'; readonly key: string; readonly descending: boolean }
  | { readonly by: 'column'; readonly column: string; readonly type: 'text' | 'number'; readonly descending: boolean };

const startColumn = 'tracking_runs.start_ms';
const idColumn = 'tracking_runs.run_id';
const mostOrderings = 20;

/** MLflow's order: ties by the start, the latest first (unless that is among the orderings), then by id. */
export function toSortTerms(orderings: readonly Ordering[]): readonly SortTerm[] {
  if (orderings.length > mostOrderings)
    throw trackingErrors.TRACKING_VALUE_INVALID(`runs can be ordered by at most ${mostOrderings} things at once`);
  const terms = orderings.map(toSortTerm);
  const named = new Set<string>();
  for (const term of terms) {
    const name = term.by === 'column' ? term.column : `${term.by} ${term.key}`;
    if (named.has(name))
      throw trackingErrors.TRACKING_VALUE_INVALID(`\`order_by\` contains duplicate fields: ${name.split('.').at(-1)}`);
    named.add(name);
  }
  return [
    ...terms,
    ...(named.has(startColumn)
      ? []
      : [{ by: 'column', column: startColumn, type: 'number', descending: true } as const]),
    ...(named.has(idColumn) ? [] : [{ by: 'column', column: idColumn, type: 'text', descending: false } as const]),
  ];
}

function toSortTerm(ordering: Ordering): SortTerm {
  const { key, descending } = ordering;
  const group = groupOf(runSchema, ordering);
  if (group === 'attribute') {
    const { column, type } = attributeOf(runSchema, key);
    return { by: 'column', column, type: type === 'text' ? 'text' : 'number', descending };
  }
  if (group === 'dataset')
    throw trackingErrors.TRACKING_VALUE_INVALID(`Invalid order_by clause: 'datasets.${key}' cannot be ordered by`);
  return { by: group, key, descending };
}

/** How the runs in the order asked for can be walked along an index; undefined: all that match must be sorted. */
export type Walk =
  | { readonly along: 'start'; readonly descending: boolean }
  | { readonly along: 'metric'; readonly key: string; readonly descending: boolean };

export function walkFor(terms: readonly SortTerm[]): Walk | undefined {
  const [first, second, third] = terms;
  const isId = (term: SortTerm | undefined) => term?.by === 'column' && term.column === idColumn && !term.descending;
  const isStart = (term: SortTerm | undefined) => term?.by === 'column' && term.column === startColumn;
  if (isStart(first) && isId(second)) return { along: 'start', descending: first?.descending === true };
  if (first?.by === 'metric' && isStart(second) && second?.descending && isId(third))
    return { along: 'metric', key: first.key, descending: first.descending };
  return undefined;
}

/** A comparison that lists of runs can answer, so that few runs are found without looking at all of them. */
export interface ListedComparison extends Comparison {
  readonly kind: 'metric' | 'param' | 'tag';
}

const listable: readonly ComparisonOperator[] = ['=', '<', '<=', '>', '>=', 'LIKE', 'ILIKE', 'IS NOT NULL'];

export function listedComparisons(comparisons: readonly Comparison[]): readonly ListedComparison[] {
  return comparisons.flatMap((comparison) => {
    const { key, operator } = comparison;
    if (!listable.includes(operator)) return [];
    const kind = groupOf(runSchema, comparison);
    if (kind === 'metric' || kind === 'param' || kind === 'tag') return [{ ...comparison, kind }];
    // a name is a tag as well
    if (kind === 'attribute' && attributeOf(runSchema, key).column === 'tracking_runs.name')
      return [{ ...comparison, kind: 'tag' as const, key: 'mlflow.runName' }];
    return [];
  });
}

/** The runs that a filter names by their ids; undefined when it names none. */
export function namedRuns(comparisons: readonly Comparison[]): readonly string[] | undefined {
  for (const comparison of comparisons) {
    const { key, operator, value } = comparison;
    if (groupOf(runSchema, comparison) !== 'attribute' || key !== 'run_id') continue;
    if (operator === '=' && typeof value === 'string') return [value];
    if (operator === 'IN' && typeof value === 'object') return value;
  }
  return undefined;
}

/** A place between two runs of an order: what the run before it has for each term. */
export type RunPosition = readonly SortValue[];
export interface SortValue {
  /** 0: it has a value, 1: NaN, 2: it has none. */
  readonly zone: number;
  readonly value: string | number | null;
}

/** True when this place can be one of this order: clients hand it back, and may hand back anything. */
export function isPositionOf(terms: readonly SortTerm[], position: RunPosition): boolean {
  return (
    position.length === terms.length &&
    terms.every((term, index) => {
      const { zone, value } = position[index] ?? { zone: -1, value: null };
      if (zone === 2) return value === null;
      if (zone !== 0 && !(zone === 1 && term.by === 'metric')) return false;
      if (term.by === 'metric') return typeof value === 'number';
      if (term.by === 'column' && term.type === 'number') return Number.isSafeInteger(value);
      return typeof value === 'string' && !value.includes('\0');
    })
  );
}
