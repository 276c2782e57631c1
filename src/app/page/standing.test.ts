import { expect, test } from 'vitest';
import type { Overview } from '#contracts/overview';
import { packagePath } from '#platform/package-path';

const { lastSaid } = (await import(packagePath('ui', 'format.js'))) as { readonly lastSaid: (text: string) => string };

interface Standing {
  readonly isLive: boolean;
  readonly word?: string;
  readonly tone?: string;
}
const { modelsOfLoop, standingOf } = (await import(packagePath('ui', 'standing.js'))) as {
  readonly modelsOfLoop: (overview: Overview) => Overview['models'];
  readonly standingOf: (overview: Overview) => Standing;
};

const at = '2026-03-01T00:00:00Z';
const empty: Overview = {
  project: 'flights',
  goal: { statement: 'Warn of late flights.', metric: { name: 'auc', target: '>= 0.70' } },
  datasets: [],
  pipelines: [],
  models: [],
  deployments: [],
  monitors: [],
  triggers: [],
  alerts: [],
  events: [],
};
const model = (name: string, auc?: { value: number; lower?: number; upper?: number }): Overview['models'][number] => ({
  name,
  latestVersion: 1,
  champion: { version: 1, ...(auc && { metrics: { auc } }) },
});
const deployment = { name: 'late', state: 'ready', shadows: [], requests: 0, errors: 0 };

test('the model of the loop comes first: what is served, what a pipeline makes, then what somebody has logged', () => {
  const models = [model('aside'), model('made'), model('served')];
  const lastRun = { id: 'r', state: 'succeeded', trigger: 'user', createdAt: at, steps: [], model: 'model:made@2' };
  const overview: Overview = {
    ...empty,
    models,
    pipelines: [{ name: 'train', lastRun }],
    deployments: [{ ...deployment, traffic: [{ model: 'served', version: 1, basisPoints: 10_000 }] }],
  };
  expect(modelsOfLoop(overview).map(({ name }) => name)).toEqual(['served', 'made', 'aside']);
  expect(modelsOfLoop({ ...empty, models })).toEqual(models);
});

test('the goal is met or missed only where the figure leaves no doubt', () => {
  const tested = (value: number, lower: number, upper: number) =>
    standingOf({ ...empty, models: [model('late', { value, lower, upper })] });
  expect(tested(0.8, 0.75, 0.85)).toMatchObject({ isLive: false, word: 'met', tone: 'good' });
  expect(tested(0.6, 0.55, 0.65)).toMatchObject({ word: 'missed', tone: 'bad' });
  expect(tested(0.69, 0.6, 0.78)).toMatchObject({ word: 'undecided' });
  expect(tested(0.69, 0.6, 0.78).tone).toBeUndefined();
  expect(standingOf(empty).word).toBeUndefined();
});

const monitor = (state: string, metric = 'auc'): Overview['monitors'][number] => ({
  name: 'late',
  deployment: 'late',
  metric,
  window: {
    start: at,
    end: at,
    state: 'alert', // of drift
    predictions: 120,
    labelled: 120,
    drifted: [],
    verdicts: [{ metric, state, reason: '' }],
  },
  history: [{ end: at, state: 'alert', value: 0.6, n: 120, lower: 0.55, upper: 0.65 }],
});

const standing = (...of: Parameters<typeof monitor>) => standingOf({ ...empty, monitors: [monitor(...of)] });

test('what a monitor says of the window goes before its figure, and of another metric nothing is taken', () => {
  expect(standing('not-enough-data')).toMatchObject({ isLive: true, word: 'not enough data' });
  expect(standing('not-enough-data').tone).toBeUndefined();
  expect(standing('alert')).toMatchObject({ isLive: true, word: 'missed', tone: 'bad' });
  expect(standing('alert', 'f1')).toMatchObject({ isLive: false });
});

test('of a step that failed the line that says why is told, not the stack before it', () => {
  const trace = 'Traceback (most recent call last): |   File "fit.py", line 1 |     ^^^^^ | ValueError: a | b is odd';
  expect(lastSaid(`the step's command ended with exit code 1; its last lines: ${trace}`)).toBe(
    'ValueError: a | b is odd',
  );
  expect(lastSaid('the step was cancelled')).toBe('the step was cancelled');
});
