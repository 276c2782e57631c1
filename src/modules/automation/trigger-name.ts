import { createHash } from 'node:crypto';
import type { TriggerSpec } from '#contracts/automation';

const longestReadable = 80;

/**
 * The name of a trigger: its own, else made from what it listens to and what it runs, so that it stays the same while
 * those do. A changed cool-down is the same trigger; another parameter is another.
 */
export function nameTrigger(spec: TriggerSpec): string {
  if (spec.name !== undefined) return spec.name;
  const readable = `${spec.on ?? 'cron'}-${spec.run.replace(/^pipeline:/, '')}`
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, longestReadable);
  const identity = JSON.stringify([spec.on, spec.cron, spec.zone, spec.run, sorted(spec.params)]);
  return `${readable}-${createHash('sha256').update(identity).digest('hex').slice(0, 6)}`;
}

/** The order in which keys are written says nothing. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => [key, sorted(item)]);
}
