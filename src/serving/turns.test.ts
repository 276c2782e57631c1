import { expect, test } from 'vitest';
import { createTurns } from './turns.ts';

const settled = () => new Promise((resolve) => void setImmediate(resolve));

test('a few run at once, and owners take turns however much each asks for', async () => {
  const turns = createTurns(2);
  const [greedy, other] = [{}, {}];
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const ask = (owner: object, name: string) =>
    turns.take(owner, () => {
      begun.push(name);
      return new Promise<string>((resolve) => void ends.push(() => resolve(name)));
    });
  const all = [...['a', 'b', 'c', 'd', 'e'].map((name) => ask(greedy, name)), ask(other, 'x'), ask(other, 'y')];
  for (let turn = 0; turn < all.length; turn += 1) {
    await settled();
    expect(begun.length).toBe(Math.min(turn + 2, all.length));
    ends[turn]?.();
  }
  expect(begun.join('')).toBe('abcxdye');
  expect((await Promise.all(all)).join('')).toBe('abcdexy');
});

test('work that fails makes way for the next', async () => {
  const turns = createTurns(1);
  const failing = turns.take({}, () => Promise.reject(new Error('no')));
  const next = turns.take({}, () => Promise.resolve('yes'));
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('yes');
  expect(await turns.take({}, () => Promise.resolve('again'))).toBe('again');
});
