import type { PredictionEnvelope } from '#contracts/prediction-record';
import type { RunTerms } from '#runtimes/batcher';
import type { CallContext } from './call-context.ts';
import { servingErrors } from './serving-errors.ts';

const noTerms: RunTerms = {};

/**
 * On which terms a request waits: `timeout` in microseconds and `priority` (1 is the highest; 0 or absent the usual one)
 * as Triton reads them, beside what the transport knows. The earlier of two deadlines holds.
 */
export function readTerms(
  parameters: Readonly<Record<string, unknown>>,
  { deadlineMs, signal, startedMs }: Pick<CallContext, 'deadlineMs' | 'signal' | 'startedMs'>,
  takesParameters: boolean,
): RunTerms {
  const timeoutUs = wholeNumber('timeout', parameters['timeout']);
  const priority = wholeNumber('priority', parameters['priority']);
  if (timeoutUs === 0 && priority === 0 && deadlineMs === undefined && signal === undefined && !takesParameters)
    return noTerms;
  const ownMs = timeoutUs === 0 ? Number.POSITIVE_INFINITY : startedMs + timeoutUs / 1_000;
  const endMs = Math.min(ownMs, deadlineMs ?? Number.POSITIVE_INFINITY);
  // field by field: with spreads of what may be missing V8 finds no form that stays, and each later look at the terms is slow
  const terms: { -readonly [field in keyof RunTerms]: RunTerms[field] } = {};
  if (endMs < Number.POSITIVE_INFINITY) terms.deadlineMs = endMs;
  if (signal !== undefined) terms.signal = signal;
  if (priority > 0) terms.priority = priority;
  const own = takesParameters ? ownOf(parameters) : undefined;
  if (own !== undefined) terms.parameters = own;
  return terms;
}

/** Of a graph: the terms that hand it the rows' keys, where it asks for them, and hear which branches they took. */
export function routedTerms(
  { takesKeys }: { readonly takesKeys: boolean },
  terms: RunTerms,
  keys: readonly (string | null)[],
): { readonly terms: RunTerms; branches(): Pick<PredictionEnvelope, 'branches'> } {
  let taken: Record<string, string[]> | undefined;
  return {
    terms: {
      ...terms,
      ...(takesKeys && { keys }),
      took(node, branches) {
        taken ??= {};
        taken[node] = [...branches];
      },
    },
    branches: () => (taken === undefined ? {} : { branches: taken }),
  };
}

/** What is ours or the protocol's; all else is the model's. */
const reserved = new Set(['keys', 'event_times', 'subject', 'timeout', 'priority', 'binary_data_output']);

function ownOf(parameters: Readonly<Record<string, unknown>>): RunTerms['parameters'] {
  const own = Object.entries(parameters).filter(([name]) => !reserved.has(name));
  return own.length === 0 ? undefined : Object.fromEntries(own);
}

/** 0 = not given, as Triton has it. gRPC brings 64-bit integers as bigint. */
function wholeNumber(name: string, value: unknown): number {
  if (value === undefined || value === null) return 0;
  const number = typeof value === 'number' || typeof value === 'bigint' ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw servingErrors.REQUEST_MALFORMED(`parameter "${name}" must be a whole number that is not negative`);
}
