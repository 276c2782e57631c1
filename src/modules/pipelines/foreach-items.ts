import { type Expression, parseExpression } from '#contracts/condition-syntax';
import { inWords } from '#contracts/condition-value';
import type { Foreach } from '#contracts/pipelines';
import type { Json } from '#modules/jobs';

export type Item = Readonly<Record<string, Json>>;
export type Items = { readonly items: readonly Item[] } | { readonly problem: string };

/** More would be a job queue of its own. */
export const mostItems = 1000;

type Axis = readonly Json[] | { readonly range: number };

/** Known before anything runs. */
export function staticItems(foreach: Exclude<Foreach, string>): readonly Item[] {
  if (isList(foreach)) return foreach.map(toItem);
  // one empty axis leaves nothing of the others, however many combinations those have
  if (countItems(foreach) === 0) return [];
  const axes = Object.entries(foreach) as readonly (readonly [string, Axis | number])[];
  if (typeof foreach['range'] === 'number') return valuesOf({ range: foreach['range'] }).map(toItem);
  // the last name changes fastest, as in nested loops
  return axes.reduce<readonly Item[]>(
    (items, [name, axis]) =>
      items.flatMap((item) => valuesOf(axis as Axis).map((value): Item => ({ ...item, [name]: value }))),
    [{}],
  );
}

/** The names that `${each.<name>}` may have; undefined when only the run can say. */
export function eachNames(foreach: Foreach): readonly string[] | undefined {
  if (typeof foreach === 'string') return undefined;
  if (isList(foreach)) return [...new Set(foreach.map(toItem).flatMap((item) => Object.keys(item)))];
  return typeof foreach['range'] === 'number' ? Object.keys(toItem(0)) : Object.keys(foreach);
}

/** How many there would be, without making them. */
export function countItems(foreach: Foreach): number | undefined {
  if (typeof foreach === 'string') return undefined;
  if (isList(foreach)) return foreach.length;
  if (typeof foreach['range'] === 'number') return foreach['range'];
  return Object.values(foreach as Readonly<Record<string, Axis>>).reduce(
    (count, axis) => count * ('range' in axis ? axis.range : axis.length),
    1,
  );
}

/** The items of a step whose needs have ended. */
export function resolveItems(
  foreach: Foreach,
  evaluate: (expression: Expression) => { readonly value: Json } | { readonly problem: string },
): Items {
  if (typeof foreach !== 'string') return { items: staticItems(foreach) };
  const text = foreach;
  const parsed = parseExpression(text);
  if (!parsed.ok) return { problem: `${text} cannot be read at character ${parsed.problem.at + 1}` };
  const evaluated = evaluate(parsed.expression);
  if ('problem' in evaluated) return evaluated;
  const { value } = evaluated;
  if (!isList(value)) return { problem: `${text} is ${inWords(value)}, not a list` };
  if (value.length > mostItems) return { problem: `${text} has ${value.length} items, and ${mostItems} are the most` };
  return { items: value.map(toItem) };
}

const toItem = (value: Json): Item =>
  typeof value === 'object' && value !== null && !isList(value) ? value : { item: value };
const valuesOf = (axis: Axis): readonly Json[] =>
  'range' in axis ? Array.from({ length: axis.range }, (_, index) => index) : axis;

function isList<T>(value: T): value is Extract<T, readonly unknown[]> {
  return Array.isArray(value);
}
