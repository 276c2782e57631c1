import { expect, test } from 'vitest';
import type { TriggerSpec } from '#contracts/automation';
import type { WorkspaceDocument } from '#platform/resource-kind';
import { cronProblem } from './cron-times.ts';
import { nameTrigger } from './trigger-name.ts';
import { createTriggersKind } from './triggers-kind.ts';
import { isPrivateAddress } from './webhook-address.ts';

const kind = createTriggersKind({ declare: async () => undefined }, () => undefined);
const document: WorkspaceDocument = {
  project: 'flights',
  files: [],
  sections: {
    datasets: { flights: {} },
    deployments: { late: {} },
    monitors: { 'late-arrival': {} },
    pipelines: { train: { params: { months: 3 }, steps: {}, model: { name: 'late-arrival' } } },
  },
};
const problems = (spec: TriggerSpec) => kind.check?.('x', spec, document) ?? [];

test('sound triggers have no problem', () => {
  expect(problems({ on: 'alert:late-arrival/performance', run: 'pipeline:train', cooldown: '21d' })).toEqual([]);
  for (const on of ['alert:late-arrival/drift', 'alert:flights/quality', 'alert:late/rollout'])
    expect(problems({ on, run: 'pipeline:train' })).toEqual([]);
  expect(problems({ on: 'dataset:flights', run: 'pipeline:train', params: { months: 2 } })).toEqual([]);
  expect(problems({ cron: '@daily', run: 'pipeline:train', zone: 'America/New_York' })).toEqual([]);
});

test('names that are not declared are told, with those that are', () => {
  expect(problems({ on: 'alert:late-arival/performance', run: 'pipeline:trian', params: { months: 1 } })).toMatchObject(
    [
      { path: ['run'], known: ['pipeline:train'] },
      { path: ['on'], known: ['alert:late-arrival/performance'] },
    ],
  );
  expect(problems({ on: 'dataset:fligths', run: 'pipeline:train', params: { moths: 1 } })).toMatchObject([
    { path: ['params', 'moths'], known: ['months'] },
    { path: ['on'], known: ['dataset:flights'] },
  ]);
});

test('an alert that nothing ever raises is told, with those of its subject', () => {
  expect(problems({ on: 'alert:late-arrival/performanc', run: 'pipeline:train' })).toMatchObject([
    {
      path: ['on'],
      message: 'nothing raises "alert:late-arrival/performanc"',
      expected: 'alert:late-arrival/performance, alert:late-arrival/drift',
    },
  ]);
  expect(problems({ on: 'alert:flights/performance', run: 'pipeline:train' })).toMatchObject([
    { expected: 'alert:flights/quality' },
  ]);
});

test('a trigger says when in one way, and a cron is one that fires', () => {
  expect(problems({ run: 'pipeline:train' })).toMatchObject([{ message: 'a trigger says when it fires' }]);
  const both = problems({ on: 'dataset:flights', cron: '@daily', run: 'pipeline:train' });
  expect(both).toMatchObject([{ message: 'a trigger has either `on` or `cron`, not both' }]);
  expect(problems({ cron: 'sometimes', run: 'pipeline:train' })).toMatchObject([{ path: ['cron'] }]);
  expect(problems({ cron: '0 0 30 2 *', run: 'pipeline:train' })).toMatchObject([{ path: ['cron'] }]);
  expect(problems({ cron: '@daily', zone: 'Mars/Olympus', run: 'pipeline:train' })).toMatchObject([{ path: ['zone'] }]);
  expect(cronProblem('0 3 * * MON')).toBeUndefined();
});

test('a pipeline that makes what it listens to would start itself for ever', () => {
  const message = expect.stringContaining('start itself again and again');
  expect(problems({ on: 'model:late-arrival@champion', run: 'pipeline:train' })).toMatchObject([{ message }]);
  expect(problems({ on: 'dataset:train.prepare.train', run: 'pipeline:train' })).toMatchObject([{ message }]);
});

test('pipelines that start each other by their triggers are a circle, told from each of them', () => {
  const forth: TriggerSpec = { on: 'dataset:a.s.rows', run: 'pipeline:b' };
  const on: TriggerSpec = { on: 'model:late@best', run: 'pipeline:c' };
  const back: TriggerSpec = { on: 'dataset:c.s.rows', run: 'pipeline:a' };
  const pipelines = { a: { steps: {} }, b: { steps: {}, model: { name: 'late', alias: 'best' } }, c: { steps: {} } };
  const check = (spec: TriggerSpec, triggers: object) =>
    kind.check?.('x', spec, { ...document, sections: { pipelines, triggers } as WorkspaceDocument['sections'] });
  const all = { forth, on, back };
  expect(check(forth, all)).toMatchObject([
    { path: ['on'], message: 'by their triggers pipelines start each other in a circle: b → c → a → b' },
  ]);
  expect(check(on, all)).toMatchObject([{ message: expect.stringContaining('c → a → b → c') }]);
  expect(check(back, { forth, back })).toEqual([]);
});

test('a name follows what a trigger listens to and does, not how it is written nor its cool-down', () => {
  const one = nameTrigger({ on: 'dataset:flights', run: 'pipeline:train', params: { a: 1, b: { c: 2, d: 3 } } });
  expect(one).toMatch(/^dataset-flights-train-[0-9a-f]{6}$/);
  expect(
    nameTrigger({ params: { b: { d: 3, c: 2 }, a: 1 }, cooldown: '1d', run: 'pipeline:train', on: 'dataset:flights' }),
  ).toBe(one);
  expect(nameTrigger({ on: 'dataset:flights', run: 'pipeline:train' })).not.toBe(one);
  expect(nameTrigger({ name: 'mine', cron: '@daily', run: 'pipeline:train' })).toBe('mine');
});

test('addresses outside the public internet are known in every form', () => {
  const inside = [
    '127.0.0.1',
    '10.1.2.3',
    '169.254.169.254',
    '0.0.0.0',
    '100.64.0.1',
    '::1',
    '::',
    'fe80::1',
    'fd00::1',
  ];
  const wrapped = ['::ffff:10.0.0.1', '64:ff9b::a00:1', '2002:7f00:1::', '::127.0.0.1', 'not an address'];
  expect([...inside, ...wrapped].filter((address) => !isPrivateAddress(address))).toEqual([]);
  const outside = ['1.1.1.1', '93.184.215.14', '2606:4700:4700::1111', '172.32.0.1', '::ffff:8.8.8.8'];
  expect(outside.filter(isPrivateAddress)).toEqual([]);
});
