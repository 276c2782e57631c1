import { expect, test } from 'vitest';
import { listEvaluations } from '../src/contracts/evaluation.ts';
import { getRun, startRun } from '../src/contracts/pipelines.ts';
import { getModel, listPromotions } from '../src/contracts/registry.ts';
import { startControlPlane } from './support/control-plane.ts';
import { createTestProject } from './support/project.ts';
import { copyingPipeline, flightRows, modelBytes } from './support/served-model.ts';

const document = `project: flights
datasets:
  flights: { source: data/*.csv, time: time_hour }
pipelines:
  train:${copyingPipeline('late')}
`;

test('a model that is not ONNX is refused before it is proposed, with the reason, and the champion stays', async () => {
  const { client: root } = await startControlPlane();
  const project = await createTestProject(root, document);
  await project.write('data/flights.csv', flightRows);
  await project.write('model.onnx', await modelBytes());
  await project.apply();
  await project.land('flights');
  const client = await project.client();
  const run = async (mark: string) => {
    await project.apply();
    const { id } = await client.call(startRun, { params: { name: 'train' }, body: { params: { mark } } });
    return await client.call(getRun, { params: { runId: id }, query: { wait: 60 } });
  };
  expect(await run('00000001')).toMatchObject({ state: 'succeeded', result: { verdict: 'first' } });

  await project.write('model.onnx', 'import pickle\n');
  const refused = await run('00000002');
  expect(refused).toMatchObject({ state: 'failed' });
  expect(refused.steps.find(({ step }) => step === 'register')).toMatchObject({
    state: 'failed',
    error: { message: expect.stringMatching(/the model cannot be loaded/) },
  });
  // nothing was proposed, so nothing is to be judged or taken back
  expect((await client.call(listPromotions, { query: {} })).items).toMatchObject([{ state: 'completed' }]);
  expect((await client.call(listEvaluations, { query: {} })).items).toMatchObject([{ verdict: 'first' }]);
  expect(await client.call(getModel, { params: { model: 'late' } })).toMatchObject({
    aliases: [{ alias: 'champion', version: 1 }],
  });
}, 60_000);
