import { parseExpression, type Reference, referencesOf } from '#contracts/condition-syntax';
import { evaluateExpression, type Found, inWords } from '#contracts/condition-value';
import type { StepSpec } from '#contracts/pipelines';
import { placeholdersOf, valueLimitBytes } from '#modules/jobs';
import { type Item, type Items, resolveItems } from './foreach-items.ts';
import type { RunSteps } from './run-steps.ts';
import { isDone, type RunBasis } from './run-types.ts';
import { expandText, parseText } from './step-text.ts';

/** Whether a step is to run, in words that are kept; `problem` when nobody can say. */
export type Decision = { readonly holds: boolean; readonly because: string } | { readonly problem: string };

/** The steps whose outputs a step's expressions read: its condition, and what it tells. */
export function expressionSources(spec: StepSpec | undefined): readonly string[] {
  const condition = spec?.when === undefined ? undefined : parseExpression(spec.when);
  const foreach = typeof spec?.foreach === 'string' ? parseExpression(spec.foreach) : undefined;
  const texts = Object.values(spec?.with ?? {}).flatMap((text) => {
    const parsed = parseText(text);
    return parsed.ok ? parsed.expressions : [];
  });
  const alone = [condition, foreach].flatMap((parsed) => (parsed?.ok === true ? parsed.expression : []));
  return [...alone, ...texts]
    .flatMap(referencesOf)
    .flatMap((reference) => (reference.kind === 'output' ? reference.step : []));
}

/** Decides `when` of a step whose needs have ended; undefined when it has none. The steps that it reads were loaded. */
export function decideStep(spec: StepSpec | undefined, run: RunBasis, steps: RunSteps): Decision | undefined {
  if (spec?.when === undefined) return undefined;
  const parsed = parseExpression(spec.when);
  if (!parsed.ok) return { problem: `it cannot be read at character ${parsed.problem.at + 1}` };
  const evaluated = evaluateExpression(parsed.expression, createLookup(run, steps));
  if ('problem' in evaluated) return evaluated;
  const { value, read } = evaluated;
  if (typeof value !== 'boolean') return { problem: `it is ${inWords(value)}, not true or false` };
  const facts = [...read].map(([name, found]) => `${name} is ${inWords(found)}`).join(', ');
  return { holds: value, because: facts === '' ? spec.when : `${spec.when} (${facts})` };
}

/** What a step with `foreach` runs for. */
export function resolveStepItems(spec: StepSpec | undefined, run: RunBasis, steps: RunSteps): Items {
  if (spec?.foreach === undefined) return { problem: 'it has no foreach' };
  const resolved = resolveItems(spec.foreach, (expression) => evaluateExpression(expression, createLookup(run, steps)));
  return 'problem' in resolved ? resolved : (lackingField(spec, resolved.items) ?? resolved);
}

/** A command that names what an item has not would run with the name in place of a value. */
function lackingField({ run = [] }: StepSpec, items: readonly Item[]): { readonly problem: string } | undefined {
  for (const placeholder of placeholdersOf(run)) {
    const [scope, field = ''] = placeholder.split('.');
    const index = scope === 'each' ? items.findIndex((item) => !Object.hasOwn(item, field)) : -1;
    if (index !== -1)
      return {
        problem: `item ${index} is ${inWords(items[index] ?? null)}, and the command names \${each.${field}}`,
      };
  }
  return undefined;
}

/** What a built-in step is given, each `${…}` replaced by its value; or which field has none, and why. */
export function expandWith(
  spec: StepSpec,
  run: RunBasis,
  steps: RunSteps,
): { readonly texts: Readonly<Record<string, string>> } | { readonly field: string; readonly problem: string } {
  const texts: Record<string, string> = {};
  for (const [field, text] of Object.entries(spec.with ?? {})) {
    const expanded = expandText(text, createLookup(run, steps));
    if (typeof expanded !== 'string') return { field, problem: expanded.problem };
    texts[field] = expanded;
  }
  return { texts };
}

function createLookup(run: RunBasis, steps: RunSteps): (reference: Reference) => Found {
  return (reference) => {
    if (reference.kind === 'param') {
      const value = Object.hasOwn(run.params, reference.name) ? run.params[reference.name] : undefined;
      return value === undefined ? { missing: `there is no parameter "${reference.name}"` } : { value };
    }
    const { step, output } = reference;
    const { state, outputs } = steps.get(step);
    if (!isDone(state)) return { missing: `step "${step}" has made nothing: it is ${state}` };
    const found = outputs[output];
    if (found === undefined) return { missing: `step "${step}" has no output "${output}"` };
    if (found.value !== undefined) return { value: found.value };
    const reason =
      found.sizeBytes > valueLimitBytes ? `larger than ${valueLimitBytes / 1024} KiB` : 'not JSON (NaN is none)';
    return { missing: `output "${output}" of step "${step}" is ${reason}` };
  };
}
