import { describe, expect, test } from 'vitest';
import type { StepState } from '#contracts/pipelines';
import { readiness, runState } from './run-rules.ts';
import type { Step } from './run-types.ts';

function aStep(name: string, state: StepState, needs: readonly string[] = []): Step {
  return {
    name,
    position: 0,
    kind: 'command',
    state,
    needs,
    plan: { keyParts: {}, cacheable: true, reads: [] },
    key: undefined,
    keyParts: undefined,
    why: undefined,
    jobId: undefined,
    token: undefined,
    trackingRunId: undefined,
    outputs: {},
    error: undefined,
    startedMs: undefined,
    endedMs: undefined,
  };
}

describe('what a run does next', () => {
  test('a step is ready once all that it needs has succeeded or was cached', () => {
    const steps = [
      aStep('a', 'succeeded'),
      aStep('b', 'cached'),
      aStep('c', 'pending', ['a', 'b']),
      aStep('d', 'pending', ['c']),
    ];
    expect(readiness(steps, new Set()).ready.map(({ name }) => name)).toEqual(['c']);
  });

  test('a step is blocked, and says by what, when something that it needs ended otherwise', () => {
    const steps = [aStep('a', 'failed'), aStep('b', 'running'), aStep('c', 'pending', ['a', 'b'])];
    expect(readiness(steps, new Set()).blocked.map(({ step, by }) => [step.name, by])).toEqual([['c', ['a']]]);
  });

  test('a step that always runs waits for the end of what it needs, however it ended', () => {
    const waiting = [aStep('a', 'failed'), aStep('b', 'running'), aStep('tidy', 'pending', ['a', 'b'])];
    expect(readiness(waiting, new Set(['tidy']))).toEqual({ ready: [], blocked: [] });
    const over = [aStep('a', 'failed'), aStep('b', 'skipped'), aStep('tidy', 'pending', ['a', 'b'])];
    expect(readiness(over, new Set(['tidy'])).ready.map(({ name }) => name)).toEqual(['tidy']);
  });

  test('a run is over when every step is, and succeeded only when every step did', () => {
    expect(runState([aStep('a', 'succeeded'), aStep('b', 'waiting')], false)).toBe('running');
    expect(runState([aStep('a', 'succeeded'), aStep('b', 'cached')], false)).toBe('succeeded');
    expect(runState([aStep('a', 'failed'), aStep('b', 'skipped')], false)).toBe('failed');
    expect(runState([aStep('a', 'succeeded'), aStep('b', 'cancelled')], true)).toBe('cancelled');
  });
});
