import { readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startPair } from './support/running-server.ts';
import { type PredictionStream, type ServedModel, serveModel, streamPredictions } from './support/served-model.ts';

const testTimeoutMs = 120_000;
const minuteMs = 60_000;
const dayMs = 86_400_000;
/** A kill may come at any moment of what it hits. */
const anyMoment = (mostMs: number): Promise<void> => delay(Math.random() * mostMs);

/** Every answered prediction is in the log exactly once, and nothing twice; answers how many were logged unanswered. */
async function checkLog(model: ServedModel, stream: PredictionStream): Promise<number> {
  await model.flush();
  const logged = await model.logged();
  expect([...logged].filter(([, times]) => times !== 1)).toEqual([]);
  expect(stream.answered.filter((id) => !logged.has(id))).toEqual([]);
  expect(new Set(stream.answered).size).toBe(stream.answered.length);
  const { rows, caughtUp } = await model.log();
  expect({ rows, caughtUp }).toEqual({ rows: logged.size, caughtUp: true });
  return logged.size - stream.answered.length;
}

describe('kill -9 while predictions stream', () => {
  test(
    'of the control plane: predictions go on, and each is in the log exactly once after it is back',
    async () => {
      const pair = await startPair();
      const model = await serveModel(pair);
      const dataPlane = await pair.dataPlanePid();
      const stream = streamPredictions(model);
      for (const duringMs of [20, 120]) {
        await stream.more(150);
        const flush = model.flush().catch((error: unknown) => error); // the kill is to hit the intake
        await anyMoment(duringMs);
        await pair.killControlPlane();
        await flush;
        await stream.more(150); // while it is away
        await pair.up();
        expect(await pair.dataPlanePid()).toBe(dataPlane);
      }
      await stream.more(50);
      await stream.stop();
      expect(stream.failures).toEqual([]);
      expect(await checkLog(model, stream)).toBe(0);
    },
    testTimeoutMs,
  );

  test(
    'of the data plane: it is started again by itself, and each that was answered is in the log exactly once',
    async () => {
      const pair = await startPair();
      const model = await serveModel(pair);
      const stream = streamPredictions(model);
      for (const duringMs of [20, 120]) {
        await stream.more(150);
        await anyMoment(duringMs);
        await pair.killDataPlane();
        await stream.more(50);
        expect(await pair.dataPlanePid()).toBeGreaterThan(0);
      }
      await stream.stop();
      // each was told so: by a connection that broke, or to come again
      expect(stream.failures.map(String).filter((text) => !/fetch failed|terminated|answered 503/.test(text))).toEqual(
        [],
      );
      // a call that broke off may be logged; one that never reached the data plane is not
      expect(await checkLog(model, stream)).toBeLessThanOrEqual(stream.failures.length);
    },
    testTimeoutMs,
  );

  test(
    'of both at once: each that was answered is in the log exactly once after both are back',
    async () => {
      const pair = await startPair();
      const model = await serveModel(pair);
      const stream = streamPredictions(model);
      for (const duringMs of [20, 120]) {
        await stream.more(150);
        const flush = model.flush().catch((error: unknown) => error);
        await anyMoment(duringMs);
        await Promise.all([pair.killControlPlane(), pair.killDataPlane()]);
        await flush;
        await pair.up();
        await stream.more(50);
      }
      await stream.stop();
      expect(await checkLog(model, stream)).toBeLessThanOrEqual(stream.failures.length);
    },
    testTimeoutMs,
  );

  test(
    'of the control plane during compaction of the log: the old files hold until the new ones do',
    async () => {
      const pair = await startPair();
      const model = await serveModel(pair);
      const asked: string[] = [];
      let day = Date.UTC(2026, 1, 1);
      const askFor = async (fromMs: number, times: number): Promise<void> => {
        for (let time = 0; time < times; time += 1)
          asked.push(await model.ask(new Date(fromMs + time * minuteMs).toISOString()));
      };
      let hit = 0;
      for (const duringMs of [0, 15, 60]) {
        for (let chunk = 0; chunk < 3; chunk += 1) {
          for (const at of [0, 1]) await askFor(day + at * dayMs, 5);
          await model.flush();
        }
        // an event days later ends both days, whose files are then put together
        day += 4 * dayMs;
        const begun = compactionBegins(join(pair.home, 'intake'));
        await askFor(day, 1);
        const flush = model.flush().catch((error: unknown) => error);
        await begun;
        await delay(duringMs);
        await pair.killControlPlane();
        hit += compactions(join(pair.home, 'intake')).length;
        await flush;
        await pair.up();
        await model.flush();
        expect((await model.log()).rows).toBe(asked.length);
      }
      expect(hit).toBeGreaterThan(0);
      const files = 3 * 2 + 1; // two days of each round and the last one, a file each
      await expect.poll(async () => (await model.log()).files, { timeout: 30_000 }).toBe(files);
      expect(await model.logged()).toEqual(new Map(asked.map((id) => [id, 1])));
    },
    testTimeoutMs,
  );
});

const compactions = (folder: string): readonly string[] =>
  readdirSync(folder).filter((name) => name.startsWith('compaction-'));

async function compactionBegins(folder: string): Promise<void> {
  const watcher = watch(folder);
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no compaction began within half a minute')), 30_000);
      watcher.on('change', (_type, name) => {
        if (!String(name).startsWith('compaction-')) return;
        clearTimeout(timer);
        resolve();
      });
    });
  } finally {
    watcher.close();
  }
}
