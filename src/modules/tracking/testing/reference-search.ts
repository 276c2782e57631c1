import {
  type Asked,
  type AskedOrder,
  compareBy,
  compareNumbers,
  compareTexts,
  type Value,
} from '#platform/testing/reference-filter';
import type { Run } from '../tracking-types.ts';

/* The search of runs over again, in memory (platform/testing/reference-filter.ts). */

const attributes: Readonly<Record<string, (run: Run) => Value>> = {
  run_id: ({ info }) => info.runId,
  run_name: ({ info }) => info.name,
  status: ({ info }) => info.status,
  user_id: ({ info }) => info.userId,
  start_time: ({ info }) => info.startMs,
  created: ({ info }) => info.startMs,
  end_time: ({ info }) => info.endMs,
};

function valueOf(run: Run, group: string | undefined, key: string): Value {
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

/** Values, then NaN, then what is missing, whichever way; ties by the start, the latest first, then by id. */
export function compareRuns(orders: readonly AskedOrder[]): (a: Run, b: Run) => number {
  const byStart = { group: 'attributes', key: 'start_time', descending: true };
  const byId = { group: 'attributes', key: 'run_id', descending: false };
  const isOrdered = (wanted: string) => orders.some(({ group, key }) => group === 'attributes' && key === wanted);
  const terms = [...orders, ...(isOrdered('start_time') ? [] : [byStart]), byId];
  return compareBy<Run, AskedOrder>(terms, (run, { group, key }) => valueOf(run, group, key));
}
