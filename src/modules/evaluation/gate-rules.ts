import { comparesWithChampion, type EvaluationResult, type GateDecision } from '#contracts/evaluation';
import { evaluateGate, namesOf, parseGate } from './gate-expression.ts';
import { overlapWarnings } from './overlap-warnings.ts';

const ofChampion = 'champion.';

/**
 * Decides one gate by what scoring told. Names: a metric of the candidate (`auc`), of the champion on the same rows
 * (`champion.auc`), a number of the user's own (`my_metric`), `n`. Without a champion a gate that names one passes: the
 * first version has nothing to be compared with. A name without a value decides nothing, so the gate is not satisfied;
 * when only the champion's numbers are missing that is no fault of the candidate, and a person has to decide. Test rows
 * within the time that a model was trained on decide nothing: the reason warns of them.
 * @param championVersion what the alias names; undefined when it names nothing
 */
export function decideGate(text: string, result: EvaluationResult, championVersion: number | undefined): GateDecision {
  const decision = decideByNumbers(text, result, championVersion);
  const warnings = overlapWarnings(result.overlap, comparesWithChampion(`gate:${text}`));
  return { ...decision, reason: [decision.reason, ...warnings].join('; ') };
}

function decideByNumbers(text: string, result: EvaluationResult, championVersion: number | undefined): GateDecision {
  const parsed = parseGate(text);
  if (!parsed.ok)
    return {
      gate: text,
      verdict: 'undecidable',
      reason: `at ${parsed.problem.at + 1} ${parsed.problem.expected} was expected`,
    };
  const names = namesOf(parsed.gate);
  if (championVersion === undefined && names.some((name) => name.startsWith(ofChampion)))
    return { gate: text, verdict: 'first', reason: 'there is no champion to compare with' };
  const lookup = (name: string): number | undefined => valueOf(name, result);
  const sides = evaluateGate(parsed.gate, lookup);
  if (sides === undefined) {
    const missing = names.filter((name) => lookup(name) === undefined);
    const reason = missing.length > 0 ? `no value is known of ${missing.join(', ')}` : 'a side of it is not a number';
    if (missing.length === 0 || !missing.every((name) => name.startsWith(ofChampion)))
      return { gate: text, verdict: 'undecidable', reason };
    const why = result.championError ?? (result.champion === undefined ? 'it has no file that can be scored' : reason);
    const said = `the champion, version ${championVersion}, cannot be compared with: ${why}`;
    return { gate: text, verdict: 'undecidable', reason: said, waitsFor: 'person' };
  }
  const { holds, left, right } = sides;
  const said = `${round(left)} ${parsed.gate.comparator} ${round(right)} on ${result.n} rows`;
  return { gate: text, verdict: holds ? 'passed' : 'failed', left, right, reason: holds ? said : `not ${said}` };
}

function valueOf(name: string, result: EvaluationResult): number | undefined {
  if (name === 'n') return result.n;
  if (name.startsWith(ofChampion)) return result.champion?.[name.slice(ofChampion.length)]?.value;
  return result.candidate[name]?.value ?? result.user[name];
}

/** One word for all gates together. */
export function overallVerdict(
  decisions: readonly GateDecision[],
  hasChampion: boolean,
): 'first' | 'passed' | 'failed' | 'undecided' {
  const bad = decisions.filter(({ verdict }) => verdict === 'failed' || verdict === 'undecidable');
  if (bad.some(({ waitsFor }) => waitsFor === undefined)) return 'failed';
  if (bad.length > 0) return 'undecided';
  return hasChampion ? 'passed' : 'first';
}

const round = (value: number): string => String(Number(value.toPrecision(5)));
