import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { getPrediction, type PredictionView } from '../../src/contracts/predictions.ts';
import { startPair } from '../support/running-server.ts';
import { serveModel } from '../support/served-model.ts';

test('what a deployment keeps out is not in its log, and a rule that names nothing is refused by apply', async () => {
  const pair = await startPair();
  const model = await serveModel(pair, { deployment: ', capture: { redact: [carrier, carrier_out] }' });
  const predictionId = await model.ask();
  await model.flush();
  let found: PredictionView | undefined;
  for (const until = Date.now() + 20_000; found === undefined && Date.now() < until; await delay(20))
    found = await model
      .client()
      .call(getPrediction, { params: { predictionId } })
      .catch(() => undefined);
  expect(found?.redacted).toEqual(['carrier', 'carrier_out']);
  expect(found?.rows[0]?.inputs).toEqual({ flight: 1, distance: -0.5 });
  expect(found?.rows[0]?.outputs).toEqual({ score: 0.5, flight_out: 1 });
  await expect(model.apply(', capture: { redact: [carier] }')).rejects.toThrow(
    /deployment "late" names "carier".*did you mean "carrier"/,
  );
}, 120_000);
