import { describe, expect, test } from 'vitest';
import type { DeploymentSpec } from '../src/contracts/deployment-spec.ts';
import { completeStep, getRun, startRun } from '../src/contracts/pipelines.ts';
import { abortRollout, listRollouts } from '../src/contracts/rollouts.ts';
import { newPostgresUrl } from '../src/platform/testing/database.ts';
import { createFakeReplica } from './deployments/fake-replica.ts';
import { startControlPlane } from './support/control-plane.ts';
import { createTestProject } from './support/project.ts';
import { copyingPipeline, flightRows, modelBytes } from './support/served-model.ts';

/** The steps of a pipeline that makes a model, and then something more. */
const pipeline = (name: string, more: string, gate = 'auc > 0.6') =>
  `  ${name}:${copyingPipeline('late').replace('    model: {', `${more}\n    model: {`).replace('auc > 0.6', gate)}`;
const document = `project: flights
datasets:
  flights: { source: data/*.csv, time: time_hour }
pipelines:
${pipeline('train', '      ship: { use: deploy, with: { deployment: late } }\n      after: { run: "true", needs: [ship] }')}
${pipeline('gated', '      ship: { use: deploy, with: { deployment: late } }', 'auc > 2')}
  back:
    params: { to: 1 }
    steps:
      ship: { use: deploy, with: { deployment: late, model: "model:late@\${params.to}" } }
deployments:
  late: { model: "model:late@champion", rollout: { steps: [50, 100], each: { requests: 50 } } }
`;

describe('a step that deploys', () => {
  test.each(['sqlite', 'postgres'])(
    'ends when the rollout of its version has ended (%s)',
    async (kind) => {
      const server = await startControlPlane(kind === 'postgres' ? { databaseUrl: await newPostgresUrl() } : {});
      const project = await createTestProject(server.client, document);
      await project.write('data/a.csv', flightRows);
      await project.write('model.onnx', await modelBytes());
      await project.apply();
      await project.land('flights');
      const replica = createFakeReplica('a');
      const report = async (): Promise<void> => {
        const spec = (await (await server.client.request('/data-plane/pools/default/spec')).json()) as DeploymentSpec;
        await server.client.request('/data-plane/replicas/a/report', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(replica.report(spec)),
        });
      };
      const client = await project.client();
      const start = async (name: string, params: Record<string, unknown> = {}) =>
        (await client.call(startRun, { params: { name }, body: { params } })).id;
      const show = (runId: string) => client.call(getRun, { params: { runId }, query: {} });
      const step = async (runId: string, name = 'ship') => (await show(runId)).steps.find((one) => one.step === name);
      const rollout = async () => (await client.call(listRollouts, { query: {} })).items[0];
      /** Reports until the run has ended. */
      const ended = async (runId: string) => {
        await expect
          .poll(
            async () => {
              await report();
              return (await show(runId)).state;
            },
            { timeout: 60_000, interval: 50 },
          )
          .not.toBe('running');
        return show(runId);
      };

      // the version that the run itself registers, the first: no canary
      const first = await start('train');
      await expect.poll(async () => (await step(first))?.state, { timeout: 60_000 }).toBe('waiting');
      expect((await step(first))?.why).toBe('waits until late has taken model:late@1');
      expect((await ended(first)).state).toBe('succeeded');
      expect(await rollout()).toMatchObject({ version: 1, state: 'completed' });

      // nothing of what it waits for is answered by another
      const second = await start('train', { mark: '00000002' });
      await expect.poll(async () => (await step(second))?.state, { timeout: 60_000 }).toBe('waiting');
      await expect(
        client.call(completeStep, {
          params: { runId: second, step: 'ship' },
          body: { token: 'guessed', outcome: 'succeeded' },
        }),
      ).rejects.toMatchObject({ code: 'STEP_NOT_EXTERNAL' });
      await report();
      await expect.poll(async () => (await rollout())?.version).toBe(2);
      await report();
      expect((await step(second))?.state).toBe('waiting'); // a canary waits for its evidence
      await client.call(abortRollout, {
        params: { rolloutId: (await rollout())?.id ?? '' },
        body: { reason: 'complaints' },
      });
      const aborted = await ended(second);
      expect(aborted.state).toBe('failed');
      expect(aborted.steps.find((one) => one.step === 'ship')?.error).toEqual({
        code: 'DEPLOY_ENDED_OTHERWISE',
        message: 'the rollout of model:late@2 at late was aborted: complaints',
      });
      expect((await step(second, 'after'))?.state).toBe('skipped');

      // what its gates held back is not deployed
      const held = await ended(await start('gated', { mark: '00000003' }));
      expect(held.steps.find((one) => one.step === 'ship')?.error).toMatchObject({
        code: 'DEPLOY_NOT_PROMOTED',
        message: expect.stringContaining('model:late@3 is not champion'),
      });

      // a version by name: served already, not there, and by a rollout of its own
      expect((await ended(await start('back'))).state).toBe('succeeded');
      const missing = await ended(await start('back', { to: 17 }));
      expect(missing.steps[0]?.error?.message).toBe('there is no model:late@17 to deploy');
      const other = await start('back', { to: 3 });
      await expect.poll(rollout).toMatchObject({ version: 3, state: 'warming' });
      await report();
      const revision = (await rollout())?.revision ?? '';
      replica.did(revision, { answers: 60 });
      expect((await ended(other)).state).toBe('succeeded');
      expect(await rollout()).toMatchObject({ version: 3, state: 'completed' });
    },
    180_000,
  );
});
