import type { Run } from '../tracking-types.ts';

/*
 * The search of runs over again, in memory and with nothing of the real one: what MLflow's documentation says of each
 * comparison and order, one run at a time.
 */

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

function compareTexts(text: string | undefined, { operator, value }: Asked): boolean {
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

function compareNumbers(logged: number | undefined, { operator, value }: Asked): boolean {
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

const attributes: Readonly<Record<string, (run: Run) => string | number | undefined>> = {
  run_id: ({ info }) => info.runId,
  run_name: ({ info }) => info.name,
  status: ({ info }) => info.status,
  user_id: ({ info }) => info.userId,
  start_time: ({ info }) => info.startMs,
  created: ({ info }) => info.startMs,
  end_time: ({ info }) => info.endMs,
};

function valueOf(run: Run, group: string | undefined, key: string): string | number | undefined {
  if (group?.startsWith('metric')) return run.metrics.find((metric) => metric.key === key)?.value;
  if (group?.startsWith('param')) return run.params.find((param) => param.key === key)?.value;
  if (group?.startsWith('tag')) return run.tags.find((tag) => tag.key === key)?.value;
  return attributes[key]?.(run);
}

const isNumeric = (group: string | undefined, key: string) =>
  group?.startsWith('metric') || ['start_time', 'end_time', 'created'].includes(key);

export function matches(run: Run, asked: Asked): boolean {
  const { group, key } = asked;
  if (group === 'datasets')
    return run.datasets.some(({ name, digest, tags }) => {
      const context = tags.find((tag) => tag.key === 'mlflow.data.context')?.value;
      return compareTexts(key === 'name' ? name : key === 'digest' ? digest : context, asked);
    });
  const value = valueOf(run, group, key);
  return isNumeric(group, key)
    ? compareNumbers(value as number | undefined, asked)
    : compareTexts(value as string | undefined, asked);
}

function compareValues(a: string | number, b: string | number): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

const zoneOf = (value: string | number | undefined) =>
  value === undefined ? 2 : typeof value === 'number' && Number.isNaN(value) ? 1 : 0;

/** Values, then NaN, then what is missing, whichever way; ties by the start, the latest first, then by id. */
export function compareRuns(orders: readonly AskedOrder[]): (a: Run, b: Run) => number {
  const byStart = { group: 'attributes', key: 'start_time', descending: true };
  const byId = { group: 'attributes', key: 'run_id', descending: false };
  const isOrdered = (wanted: string) => orders.some(({ group, key }) => group === 'attributes' && key === wanted);
  const terms = [...orders, ...(isOrdered('start_time') ? [] : [byStart]), byId];
  return (a, b) => {
    for (const { group, key, descending } of terms) {
      const [one, other] = [valueOf(a, group, key), valueOf(b, group, key)];
      const zones = zoneOf(one) - zoneOf(other);
      if (zones !== 0) return zones;
      if (one === undefined || other === undefined || zoneOf(one) === 1) continue;
      const order = compareValues(one, other);
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  };
}
