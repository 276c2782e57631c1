import { expect, onTestFinished, test, vi } from 'vitest';
import { createRequestMemory, type RequestMemory } from './request-memory.ts';

function aMemory(budgetBytes: number): RequestMemory {
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
  const memory = createRequestMemory(budgetBytes);
  onTestFinished(() => {
    memory.close();
    vi.useRealTimers();
  });
  return memory;
}

/** A client that holds some bytes until it is cut. */
function aClient(memory: RequestMemory, bytes: number) {
  memory.hold(bytes);
  let isCut = false;
  const settled = memory.watch(() => {
    isCut = true;
    memory.give(bytes);
  });
  return {
    get isCut() {
      return isCut;
    },
    settled,
  };
}

test('a request that is alone has room however long it is; beyond the budget further ones are refused until some is given', () => {
  const memory = aMemory(100);
  memory.take(500);
  expect(() => memory.take(1)).toThrow('hold all 100 bytes that they may');
  memory.give(500);
  memory.take(60);
  memory.take(40);
  expect(() => memory.take(1)).toThrow('try again shortly');
  expect(memory.usedBytes).toBe(100);
});

test('who has kept others waiting for longest makes room, nobody within the first second, and no more than are needed', () => {
  const memory = aMemory(100);
  const [first, second] = [aClient(memory, 40), aClient(memory, 40)];
  vi.advanceTimersByTime(600);
  const third = aClient(memory, 20);
  expect(() => memory.take(30)).toThrow('try again shortly');
  vi.advanceTimersByTime(600);
  memory.take(30);
  expect([first, second, third].map(({ isCut }) => isCut)).toEqual([true, false, false]);
  second.settled(); // it has sent the rest: what it holds stays held, and it is nobody's turn
  expect(() => memory.take(30)).toThrow('try again shortly');
  expect([memory.cut, memory.usedBytes]).toEqual([1, 90]);
});

test('nobody has the turn for longer than five minutes, however much room there is', () => {
  const memory = aMemory(100);
  const one = aClient(memory, 1);
  vi.advanceTimersByTime(299_000);
  expect(one.isCut).toBe(false);
  vi.advanceTimersByTime(10_000);
  expect([one.isCut, memory.usedBytes]).toEqual([true, 0]);
});
