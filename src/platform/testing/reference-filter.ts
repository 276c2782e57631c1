/*
 * MLflow's comparisons and orders over again, in memory and with nothing of the real search: what its documentation says of
 * each, one thing at a time.
 */

export type Value = string | number | undefined;

/** A comparison as a test makes it; a list holds its one value twice. */
export interface Asked {
  readonly group: string | undefined;
  readonly key: string;
  readonly operator: string;
  readonly value: string | number;
}

export interface AskedOrder {
  readonly group: string;
  readonly key: string;
  readonly descending: boolean;
}

export function print({ group, key, operator, value }: Asked): string {
  const name = group === undefined ? key : `${group}.\`${key}\``;
  if (operator.startsWith('IS')) return `${name} ${operator}`;
  if (operator.endsWith('IN')) return `${name} ${operator} ('${value}', '${value}')`;
  return `${name} ${operator} ${typeof value === 'number' ? value : `'${value}'`}`;
}

export const printOrder = ({ group, key, descending }: AskedOrder): string =>
  `${group}.\`${key}\`${descending ? ' DESC' : ''}`;

/** SQL's pattern as a regular expression; without regard to case that of ASCII letters only. */
function isLike(text: string, pattern: string, ignoreCase: boolean): boolean {
  const fold = (source: string) =>
    ignoreCase ? source.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()) : source;
  const source = Array.from(fold(pattern))
    .map((character) =>
      character === '%' ? '[^]*' : character === '_' ? '[^]' : character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&'),
    )
    .join('');
  return new RegExp(`^${source}$`, 'u').test(fold(text));
}

export function compareTexts(text: string | undefined, { operator, value }: Asked): boolean {
  const other = String(value);
  if (text === undefined) return operator === 'IS NULL';
  switch (operator) {
    case 'IS NULL':
      return false;
    case 'IS NOT NULL':
      return true;
    case '=':
    case 'IN':
      return text === other;
    case '!=':
    case 'NOT IN':
      return text !== other;
    case 'LIKE':
      return isLike(text, other, false);
    default:
      return isLike(text, other, true);
  }
}

export function compareNumbers(logged: number | undefined, { operator, value }: Asked): boolean {
  const other = Number(value);
  if (logged === undefined) return false;
  // infinities count as the greatest and the least number
  const number = Number.isNaN(logged) ? logged : Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, logged));
  switch (operator) {
    case '=':
      return number === other;
    case '!=':
      return number !== other;
    case '<':
      return number < other;
    case '<=':
      return number <= other;
    case '>':
      return number > other;
    default:
      return number >= other;
  }
}

function compareValues(a: string | number, b: string | number): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

const zoneOf = (value: Value) => (value === undefined ? 2 : typeof value === 'number' && Number.isNaN(value) ? 1 : 0);

/** By each term: values, then NaN, then what is missing, whichever way. */
export function compareBy<Thing, Term extends { readonly descending: boolean }>(
  terms: readonly Term[],
  valueOf: (thing: Thing, term: Term) => Value,
): (a: Thing, b: Thing) => number {
  return (a, b) => {
    for (const term of terms) {
      const [one, other] = [valueOf(a, term), valueOf(b, term)];
      const zones = zoneOf(one) - zoneOf(other);
      if (zones !== 0) return zones;
      if (one === undefined || other === undefined || zoneOf(one) === 1) continue;
      const order = compareValues(one, other);
      if (order !== 0) return term.descending ? -order : order;
    }
    return 0;
  };
}
