import { expect, test } from 'vitest';
import { orderByMeaning } from './event-words.ts';

const event = (type: string, cause?: string) => ({ type, ...(cause !== undefined && { cause }) });
const typesOf = (events: readonly { readonly type: string }[]) => events.map(({ type }) => type);

test('tells a verdict before the move that it led to, and a trigger before its run', () => {
  const logged = [
    event('pipeline.run.started', 'alert'),
    event('trigger.fired', 'alert'),
    event('registry.alias.moved', 'job'),
    event('gate.decided', 'job'),
    event('rollout.started', 'alias'),
  ];
  expect(typesOf(orderByMeaning(logged))).toEqual([
    'trigger.fired',
    'pipeline.run.started',
    'gate.decided',
    'registry.alias.moved',
    'rollout.started',
  ]);
});

test('keeps the order of the log between causes, without one, and among equals', () => {
  const logged = [
    event('registry.alias.moved', 'one'),
    event('gate.decided', 'other'),
    event('rollout.aborted', 'other'),
    event('rollout.started', 'other'),
    event('registry.alias.moved'),
    event('gate.decided'),
  ];
  expect(orderByMeaning(logged)).toEqual(logged);
});
