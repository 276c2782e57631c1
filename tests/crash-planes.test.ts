import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startPair } from './support/running-server.ts';
import { type PredictionStream, type ServedModel, serveModel, streamPredictions } from './support/served-model.ts';

const testTimeoutMs = 120_000;
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
      for (const duringMs of [60, 10, 120]) {
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
});
