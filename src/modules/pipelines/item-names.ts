/** A step with `foreach` has one row for itself and one for each item: `train`, `train[0]`, `train[1]`. */
export const itemName = (step: string, index: number): string => `${step}[${index}]`;

const itemPattern = /^(.*)\[(\d+)\]$/;
export const isItem = (name: string): boolean => itemPattern.test(name);
/** The declared step behind a name: of an item the one that has the `foreach`. */
export const declaredName = (name: string): string => itemPattern.exec(name)?.[1] ?? name;
/** Before every item: the step itself. */
export const itemIndex = (name: string): number => Number(itemPattern.exec(name)?.[2] ?? -1);

/** The items of a step in their order; none before it has begun. */
export function itemsOf(states: Pick<ReadonlyMap<string, unknown>, 'has'>, step: string): readonly string[] {
  const names: string[] = [];
  for (let name = itemName(step, 0); states.has(name); name = itemName(step, names.length)) names.push(name);
  return names;
}
