import { describe, expect, test } from 'vitest';
import { latencyBoundsUs } from '#contracts/latency-bounds';
import { type Counters, noCounters } from '#modules/deployments';
import {
  decideRollout,
  failurePatienceMs,
  type RolloutFacts,
  type RolloutProgress,
  splitTraffic,
} from './rollout-rules.ts';

const day = 86_400_000;

/** So many answers, all of one latency, and so many failures of ours. */
function counted(answers: number, failures = 0, latencyUs = 900): Counters {
  const latencyCounts = Array.from({ length: latencyBoundsUs.length + 1 }, () => 0);
  latencyCounts[latencyBoundsUs.findIndex((bound) => latencyUs <= bound)] = answers;
  return {
    ...noCounters,
    requests: answers + failures,
    rows: answers,
    errors: { internal: failures, invalid: 7 },
    latencyCounts,
    latencySumUs: answers * latencyUs,
  };
}

const progress = (over: Partial<RolloutProgress> = {}): RolloutProgress => ({
  plan: {
    steps: [10, 50, 100],
    each: { requests: 50, forMs: day },
    clock: 'event',
    abortWhen: 'error_rate > 0.01 or latency_p99 > 250ms',
  },
  phase: 'stepping',
  step: 0,
  isFirst: false,
  first: { counters: noCounters, clockMs: 0 },
  current: { counters: noCounters, clockMs: 0 },
  failedMs: undefined,
  ...over,
});
const facts = (over: Partial<RolloutFacts> = {}): RolloutFacts => ({
  nowMs: 1000,
  readiness: { state: 'ready' },
  counters: counted(60),
  clockMs: day,
  mayAdvance: true,
  ...over,
});

describe('what a report lets a rollout do', () => {
  const loading = { state: 'loading', reason: '1 of 2 replicas' } as const;
  const failed = { state: 'failed', error: 'no model' } as const;
  const cases: readonly [string, Partial<RolloutProgress>, Partial<RolloutFacts>, object][] = [
    [
      'a revision that is loading waits',
      { phase: 'warming' },
      { readiness: loading },
      { kind: 'wait', for: 'loading', reason: '1 of 2 replicas' },
    ],
    [
      'without a data plane it waits for one',
      { phase: 'warming' },
      { readiness: { state: 'absent', reason: 'none' } },
      { kind: 'wait', for: 'data-plane', reason: 'none' },
    ],
    ['a ready revision begins its first step', { phase: 'warming', step: -1 }, {}, { kind: 'step', step: 0 }],
    [
      'the first revision of an endpoint takes everything',
      { phase: 'warming', step: -1, isFirst: true },
      {},
      { kind: 'step', step: 2 },
    ],
    ['a first failure to load is tried again', { phase: 'warming' }, { readiness: failed }, { kind: 'wait' }],
    [
      'a failure that lasts ends it',
      { phase: 'warming', failedMs: 1000 },
      { readiness: failed, nowMs: 1000 + failurePatienceMs },
      { kind: 'abort', reason: 'it cannot be loaded: no model' },
    ],
    [
      'a failure that lasts ends a step as well',
      { failedMs: 1000 },
      { readiness: failed, nowMs: 1000 + failurePatienceMs },
      { kind: 'abort', reason: 'it cannot be loaded: no model', evidence: { answers: 60 } },
    ],
    [
      'and the time after completion',
      { phase: 'settling', step: 2, failedMs: 1000 },
      { readiness: failed, nowMs: 1000 + failurePatienceMs },
      { kind: 'abort', reason: 'it cannot be loaded: no model' },
    ],
    ['no share grows while a replica has to load it again', {}, { readiness: loading }, { kind: 'wait' }],
    ['both kinds of evidence end a step', {}, {}, { kind: 'step', step: 1, evidence: { answers: 60, elapsedMs: day } }],
    [
      'too few answers wait, however long it took',
      {},
      { counters: counted(49), clockMs: 9 * day },
      { kind: 'wait', for: 'traffic', reason: 'the step has 49 of 50 answers' },
    ],
    [
      'enough answers wait for the time',
      {},
      { clockMs: day - 60_000 },
      { kind: 'wait', for: 'traffic', reason: 'the step has 1439 of 1440 minutes of event time' },
    ],
    [
      'answers before the step began do not count',
      { current: { counters: counted(30), clockMs: 0 } },
      {},
      { kind: 'wait', reason: 'the step has 30 of 50 answers' },
    ],
    [
      'an endpoint whose clock has not begun waits',
      { current: { counters: noCounters, clockMs: undefined } },
      {},
      { kind: 'wait' },
    ],
    ['inside a stretch of a replay nothing advances', {}, { mayAdvance: false }, { kind: 'wait' }],
    ['the last step leads to completion', { step: 1 }, {}, { kind: 'step', step: 2 }],
    [
      'after completion the same evidence lets the set before go',
      { phase: 'settling', step: 2 },
      {},
      { kind: 'settle' },
    ],
    [
      'errors above the limit abort',
      {},
      { counters: counted(60, 1) },
      { kind: 'abort', evidence: { errors: 1, requests: 61 } },
    ],
    [
      'an abort waits for no flush and no time',
      {},
      { counters: counted(60, 1), mayAdvance: false, clockMs: 1 },
      { kind: 'abort' },
    ],
    ['errors on fewer than 50 requests abort nothing', {}, { counters: counted(30, 19) }, { kind: 'wait' }],
    ['exactly 50 requests suffice to abort', {}, { counters: counted(49, 1) }, { kind: 'abort' }],
    ['the rate that is the limit is not above it', {}, { counters: counted(99, 1) }, { kind: 'step' }],
    ['what callers did wrong does not count', {}, { counters: counted(60, 0) }, { kind: 'step' }],
    [
      'slow answers abort',
      {},
      { counters: counted(60, 0, 400_000) },
      { kind: 'abort', reason: expect.stringContaining('latency_p99 > 250ms') as string },
    ],
    [
      'few requests a step add up over steps',
      { step: 1, first: { counters: noCounters, clockMs: 0 }, current: { counters: counted(40, 2), clockMs: 0 } },
      { counters: counted(60, 3) },
      { kind: 'abort' },
    ],
    [
      'a good past hides no bad present',
      { step: 1, first: { counters: noCounters, clockMs: 0 }, current: { counters: counted(10_000), clockMs: 0 } },
      { counters: counted(10_050, 2) },
      { kind: 'abort' },
    ],
    [
      'errors abort after completion as well',
      { phase: 'settling', step: 2 },
      { counters: counted(60, 9) },
      { kind: 'abort' },
    ],
  ];
  test.each(cases)('%s', (_name, before, now, decision) => {
    expect(decideRollout(progress(before), facts(now))).toMatchObject(decision);
  });

  test('without evidence asked for, a step ends with the next report', () => {
    const plan = { steps: [20, 100], each: { requests: 0, forMs: 0 }, clock: 'wall' } as const;
    expect(decideRollout(progress({ plan }), facts({ counters: noCounters }))).toMatchObject({ kind: 'step', step: 1 });
  });
});

describe('the split of traffic', () => {
  const old = [{ revision: 'a', basisPoints: 10_000 }];
  test.each([
    [10, [9000, 1000]],
    [0.5, [9950, 50]],
    [99.99, [1, 9999]],
    [100, [10_000]],
  ])('gives %s percent to the new revision, last', (percent, shares) => {
    const split = splitTraffic(old, 'b', percent);
    expect(split.map(({ basisPoints }) => basisPoints)).toEqual(shares);
    expect(split.at(-1)?.revision).toBe('b');
  });

  test('scales several down and loses no basis point', () => {
    const three = ['a', 'b', 'c'].map((revision, at) => ({ revision, basisPoints: at === 0 ? 3334 : 3333 }));
    const split = splitTraffic(three, 'd', 10);
    expect(split.reduce((sum, { basisPoints }) => sum + basisPoints, 0)).toBe(10_000);
    expect(split.at(-1)).toEqual({ revision: 'd', basisPoints: 1000 });
  });

  test('gives everything to the first', () => {
    expect(splitTraffic([], 'a', 10)).toEqual([{ revision: 'a', basisPoints: 10_000 }]);
  });
});
