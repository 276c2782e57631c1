import { parseRolloutCondition, type RolloutComparison, type RolloutMetric } from '#contracts/rollout-condition';
import type { RolloutEvidence, RolloutWait } from '#contracts/rollouts';
import {
  answersOf,
  type Counters,
  failuresOf,
  judgedRequestsOf,
  latencyQuantileUs,
  type Readiness,
  subtractCounters,
} from '#modules/deployments';

/** As it was declared when the rollout started; a later change of the document holds for the next one. */
export interface RolloutPlan {
  /** Percent, rising, the last 100. */
  readonly steps: readonly number[];
  readonly each: { readonly requests: number; readonly forMs: number };
  readonly clock: 'event' | 'wall';
  readonly abortWhen?: string;
}

/** Where counting begins: the new revision's counters, and what the endpoint's clock showed. */
export interface Baseline {
  readonly counters: Counters;
  /** Undefined on an endpoint with `clock: event` that has not answered anything yet. */
  readonly clockMs: number | undefined;
}

export interface RolloutProgress {
  readonly plan: RolloutPlan;
  /** `settling`: it has all traffic, the set before is kept warm for the length of one step more. */
  readonly phase: 'warming' | 'stepping' | 'settling';
  readonly step: number;
  /** There is nothing to return to, so nothing to compare with: the first revision takes all traffic at once. */
  readonly isFirst: boolean;
  /** Since its first traffic, and since the step began. */
  readonly first: Baseline | undefined;
  readonly current: Baseline | undefined;
  /** Since when replicas have said without a break that it cannot be loaded. */
  readonly failedMs: number | undefined;
}

export interface RolloutFacts {
  readonly nowMs: number;
  readonly readiness: Readiness;
  readonly counters: Counters;
  readonly clockMs: number | undefined;
  /** Whether this is a moment at which a step may end; false inside a day that is being replayed. */
  readonly mayAdvance: boolean;
}

export type RolloutDecision =
  | {
      readonly kind: 'wait';
      readonly for: RolloutWait;
      readonly reason: string;
      readonly evidence: RolloutEvidence | undefined;
    }
  | { readonly kind: 'step'; readonly step: number; readonly evidence: RolloutEvidence | undefined }
  | { readonly kind: 'settle' }
  | { readonly kind: 'abort'; readonly reason: string; readonly evidence: RolloutEvidence | undefined };

/** Nobody is condemned on fewer requests than this. */
export const minRequestsToAbort = 50;
/** Files that could not be fetched are tried again by the data plane; a model that fails for so long is given up. */
export const failurePatienceMs = 10_000;

/** What one report lets a rollout do. Pure: all that it knows is handed in. */
export function decideRollout(progress: RolloutProgress, facts: RolloutFacts): RolloutDecision {
  return progress.phase === 'warming' ? decideWarming(progress, facts) : decideStep(progress, facts);
}

function decideWarming(progress: RolloutProgress, facts: RolloutFacts): RolloutDecision {
  const { plan, isFirst } = progress;
  return (
    decideLoading(progress, facts, undefined) ?? {
      kind: 'step',
      step: isFirst ? plan.steps.length - 1 : 0,
      evidence: undefined,
    }
  );
}

/** Undefined when every live replica has it loaded; one that starts again may find that it cannot any more. */
function decideLoading(
  { failedMs }: RolloutProgress,
  { readiness, nowMs }: RolloutFacts,
  evidence: RolloutEvidence | undefined,
): RolloutDecision | undefined {
  switch (readiness.state) {
    case 'ready':
      return undefined;
    case 'absent':
      return { kind: 'wait', for: 'data-plane', reason: readiness.reason, evidence };
    case 'loading':
      return { kind: 'wait', for: 'loading', reason: readiness.reason, evidence };
    case 'failed':
      return failedMs !== undefined && nowMs - failedMs >= failurePatienceMs
        ? { kind: 'abort', reason: `it cannot be loaded: ${readiness.error}`, evidence }
        : {
            kind: 'wait',
            for: 'loading',
            reason: `loading failed, it is tried again: ${readiness.error}`,
            evidence,
          };
  }
}

function decideStep(progress: RolloutProgress, facts: RolloutFacts): RolloutDecision {
  const { plan, phase, step, first, current } = progress;
  const evidence = evidenceSince(current, facts);
  const abort = findAbort(plan, [first, current], facts);
  if (abort !== undefined) return { kind: 'abort', reason: abort.reason, evidence: abort.evidence };
  const loading = decideLoading(progress, facts, evidence);
  if (loading !== undefined) return loading;
  const missing = missingEvidence(plan, evidence);
  if (missing !== undefined) return { kind: 'wait', ...missing, evidence };
  if (!facts.mayAdvance) return { kind: 'wait', for: 'flush', reason: waitsForFlush, evidence };
  return phase === 'settling' ? { kind: 'settle' } : { kind: 'step', step: step + 1, evidence };
}

/** The reason of a rollout that a report has left so. */
export const waitsForFlush = 'the evidence is there; waiting for the flush that ends this stretch';

/** What the new revision has shown since a baseline. */
export function evidenceSince(
  baseline: Baseline | undefined,
  { counters, clockMs }: Pick<RolloutFacts, 'counters' | 'clockMs'>,
): RolloutEvidence {
  const since = baseline === undefined ? counters : subtractCounters(counters, baseline.counters);
  const requests = judgedRequestsOf(since);
  const errors = failuresOf(since);
  const latencyP99Us = latencyQuantileUs(since, 0.99);
  return {
    answers: answersOf(since),
    requests,
    errors,
    ...(requests > 0 && { errorRate: errors / requests }),
    ...(latencyP99Us !== undefined && { latencyP99Us: Math.round(latencyP99Us) }),
    elapsedMs: baseline?.clockMs === undefined || clockMs === undefined ? 0 : Math.max(0, clockMs - baseline.clockMs),
  };
}

function missingEvidence(
  { each, clock }: RolloutPlan,
  { answers, elapsedMs }: RolloutEvidence,
): { readonly for: 'traffic' | 'time'; readonly reason: string } | undefined {
  const parts: string[] = [];
  if (answers < each.requests) parts.push(`${answers} of ${each.requests} answers`);
  if (elapsedMs < each.forMs)
    parts.push(
      `${toMinutes(elapsedMs)} of ${toMinutes(each.forMs)} minutes${clock === 'event' ? ' of event time' : ''}`,
    );
  if (parts.length === 0) return undefined;
  // event time goes on with the requests
  const byTraffic = answers < each.requests || clock === 'event';
  return { for: byTraffic ? 'traffic' : 'time', reason: `the step has ${parts.join(' and ')}` };
}

const toMinutes = (ms: number): number => Math.round(ms / 6000) / 10;

/** Looked for since its first traffic and since the step began: few requests a step add up, and old ones hide nothing. */
function findAbort(
  { abortWhen }: RolloutPlan,
  baselines: readonly (Baseline | undefined)[],
  facts: RolloutFacts,
): { readonly reason: string; readonly evidence: RolloutEvidence } | undefined {
  if (abortWhen === undefined) return undefined;
  const parsed = parseRolloutCondition(abortWhen);
  if ('problem' in parsed) return undefined; // refused when it was declared
  for (const baseline of baselines) {
    if (baseline === undefined) continue;
    const since = subtractCounters(facts.counters, baseline.counters);
    if (judgedRequestsOf(since) < minRequestsToAbort) continue;
    for (const comparison of parsed.comparisons) {
      const value = measures[comparison.metric](since);
      if (value === undefined || !comparisons[comparison.operator](value, comparison.threshold)) continue;
      const evidence = evidenceSince(baseline, facts);
      return {
        reason: `${comparison.text}: ${comparison.metric} is ${show(value, comparison)} on ${evidence.requests} requests`,
        evidence,
      };
    }
  }
  return undefined;
}

const measures: Readonly<Record<RolloutMetric, (counters: Counters) => number | undefined>> = {
  error_rate: (counters) => failuresOf(counters) / judgedRequestsOf(counters),
  latency_mean(counters) {
    const answers = answersOf(counters);
    return answers === 0 ? undefined : counters.latencySumUs / answers;
  },
  latency_p50: (counters) => latencyQuantileUs(counters, 0.5),
  latency_p90: (counters) => latencyQuantileUs(counters, 0.9),
  latency_p95: (counters) => latencyQuantileUs(counters, 0.95),
  latency_p99: (counters) => latencyQuantileUs(counters, 0.99),
};

const comparisons: Readonly<Record<RolloutComparison['operator'], (value: number, threshold: number) => boolean>> = {
  '>': (value, threshold) => value > threshold,
  '>=': (value, threshold) => value >= threshold,
  '<': (value, threshold) => value < threshold,
  '<=': (value, threshold) => value <= threshold,
};

const show = (value: number, { metric }: RolloutComparison): string =>
  metric === 'error_rate' ? value.toFixed(4) : `${(value / 1000).toFixed(1)} ms`;

export interface Weight {
  readonly revision: string;
  readonly basisPoints: number;
}

/**
 * The set before, scaled down to make room, and the new revision last. A sticky choice lays shares out in this order, so
 * the new one keeps the keys that it has while it grows.
 */
export function splitTraffic(before: readonly Weight[], revision: string, percent: number): readonly Weight[] {
  const whole = 10_000;
  const share = Math.min(whole, Math.round(percent * 100));
  const others = before.filter((weight) => weight.revision !== revision && weight.basisPoints > 0);
  const total = others.reduce((sum, { basisPoints }) => sum + basisPoints, 0);
  if (share === whole || total === 0) return [{ revision, basisPoints: whole }];
  const left = whole - share;
  const scaled = others.map((weight) => ({ ...weight, basisPoints: Math.floor((weight.basisPoints * left) / total) }));
  const lost = left - scaled.reduce((sum, { basisPoints }) => sum + basisPoints, 0);
  return [
    ...scaled.map((weight, at) => (at === 0 ? { ...weight, basisPoints: weight.basisPoints + lost } : weight)),
    { revision, basisPoints: share },
  ];
}
