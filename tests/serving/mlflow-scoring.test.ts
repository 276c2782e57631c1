import { afterAll, beforeAll, expect, test } from 'vitest';
import { createScoringPlane } from '../../src/serving/testing/scoring-plane.ts';
import { clientRequirements, ensurePython, pythonSetUpMs, runMlflowScript } from '../support/mlflow-script.ts';

const scriptMs = 120_000;
const plane = createScoringPlane();
let python: string;

beforeAll(async () => {
  ({ pythonPath: python } = await ensurePython(clientRequirements('3.17')));
  await plane.start();
}, pythonSetUpMs);
afterAll(() => plane.stop());

test(
  "MLflow's client of deployments and its client of scoring servers are answered as by MLflow's own server",
  async () => {
    const seen = await runMlflowScript(python, 'mlflow_scoring.py', {
      trackingUri: '',
      timeoutMs: scriptMs,
      arguments: [plane.base, plane.single],
    });
    const rows = [
      { score: 2.5, carrier_out: 'UA', flight_out: 1545 },
      { score: 3.5, carrier_out: 'DL', flight_out: 9007199254740992 },
    ];
    expect(seen).toEqual({
      split: rows,
      records: rows,
      matrix: [
        ['label', 'probabilities'],
        ['label', 'probabilities'],
      ],
      refused: expect.stringContaining('column \\"flight\\" is missing'),
      version: '3.17.2',
      frame: { 0: [10, 30] },
      array: [20],
    });
  },
  scriptMs,
);
