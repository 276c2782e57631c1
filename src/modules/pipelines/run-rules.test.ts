import { describe, expect, test } from 'vitest';
import type { StepState } from '#contracts/pipelines';
import { readiness, runState } from './run-rules.ts';

type Row = readonly [name: string, state: StepState, needs?: readonly string[]];

function aRun(rows: readonly Row[], always: readonly string[] = []) {
  return {
    names: rows.map(([name]) => name),
    states: new Map(rows.map(([name, state]) => [name, state])),
    needs: new Map(rows.map(([name, , needs = []]) => [name, needs])),
    always: new Set(always),
  };
}

describe('what a run does next', () => {
  test('a step is ready once all that it needs has succeeded or was cached', () => {
    const run = aRun([
      ['a', 'succeeded'],
      ['b', 'cached'],
      ['c', 'pending', ['a', 'b']],
      ['d', 'pending', ['c']],
    ]);
    expect(readiness(run.names, run)).toEqual({ ready: ['c'], blocked: [] });
  });

  test('a step is blocked, and says by what, when something that it needs ended otherwise', () => {
    const run = aRun([
      ['a', 'failed'],
      ['b', 'running'],
      ['c', 'pending', ['a', 'b']],
    ]);
    expect(readiness(run.names, run)).toEqual({ ready: [], blocked: [{ step: 'c', by: ['a'] }] });
  });

  test('a step that always runs waits for the end of what it needs, however it ended', () => {
    const waiting = aRun(
      [
        ['a', 'failed'],
        ['b', 'running'],
        ['tidy', 'pending', ['a', 'b']],
      ],
      ['tidy'],
    );
    expect(readiness(waiting.names, waiting)).toEqual({ ready: [], blocked: [] });
    const over = aRun(
      [
        ['a', 'failed'],
        ['b', 'cancelled'],
        ['tidy', 'pending', ['a', 'b']],
      ],
      ['tidy'],
    );
    expect(readiness(over.names, over)).toEqual({ ready: ['tidy'], blocked: [] });
  });

  test('a run is over when every step is, and succeeded only when every step did', () => {
    expect(runState(['succeeded', 'waiting'], false)).toBe('running');
    expect(runState(['failed', 'pending'], true)).toBe('running');
    expect(runState(['succeeded', 'cached'], false)).toBe('succeeded');
    expect(runState(['failed', 'skipped'], false)).toBe('failed');
    expect(runState(['succeeded', 'cancelled'], true)).toBe('cancelled');
  });
});
