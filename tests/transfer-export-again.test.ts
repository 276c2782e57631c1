import { expect, test } from 'vitest';
import { ensureProject } from '../src/cli/workspace/send.ts';
import type { Client } from '../src/sdk/index.ts';
import { runTidemill } from './support/command-line.ts';
import { startControlPlane } from './support/control-plane.ts';

/** MLflow's REST API of a project, which is that of its server too: what an export is written to. */
function mlflowOf(client: Client) {
  async function ask<Answer>(method: 'GET' | 'POST' | 'PATCH', path: string, body?: object): Promise<Answer> {
    const answer = await client.request(`/api/2.0/mlflow/${path}`, {
      method,
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return (await answer.json()) as Answer;
  }
  return {
    post: <Answer = unknown>(path: string, body: object) => ask<Answer>('POST', path, body),
    makeExperiment: async (name: string) =>
      (await ask<{ readonly experiment_id: string }>('POST', 'experiments/create', { name })).experiment_id,
    async makeRun(experimentId: string) {
      const body = { experiment_id: experimentId, start_time: 1 };
      return (await ask<{ readonly run: Run }>('POST', 'runs/create', body)).run.info.run_id;
    },
    async makeModel(experimentId: string) {
      const body = { experiment_id: experimentId, name: 'scorer' };
      const made = await ask<{ readonly model: Model }>('POST', 'logged-models', body);
      const id = made.model.info.model_id;
      await ask('PATCH', `logged-models/${id}`, { model_id: id, status: 'LOGGED_MODEL_READY' });
      return id;
    },
    log: (runId: string, step: number) =>
      ask('POST', 'runs/log-metric', { run_id: runId, key: 'loss', value: 1 / step, timestamp: step, step }),
    async runsOf(name: string): Promise<readonly Run[]> {
      const found = await ask<{ readonly experiment: { readonly experiment_id: string } }>(
        'GET',
        `experiments/get-by-name?experiment_name=${name}`,
      );
      const body = { experiment_ids: [found.experiment.experiment_id], run_view_type: 'ALL' };
      const { runs } = await ask<{ readonly runs?: readonly Run[] }>('POST', 'runs/search', body);
      return runs ?? [];
    },
    async stepsOf({ info: { run_id } }: Run) {
      const path = `metrics/get-history?run_id=${run_id}&metric_key=loss`;
      const { metrics } = await ask<{ readonly metrics: readonly { readonly step: number }[] }>('GET', path);
      return metrics.map(({ step }) => step).toSorted((a, b) => a - b);
    },
    async modelsOf(name: string): Promise<readonly Model[]> {
      const [run] = await this.runsOf(name);
      const body = { experiment_ids: [run?.info.experiment_id ?? ''] };
      const { models } = await ask<{ readonly models?: readonly Model[] }>('POST', 'logged-models/search', body);
      return models ?? [];
    },
  };
}

interface Run {
  readonly info: { readonly run_id: string; readonly experiment_id: string; readonly status: string };
  readonly data: { readonly tags: readonly { readonly key: string; readonly value: string }[] };
  readonly inputs?: { readonly model_inputs?: readonly { readonly model_id: string }[] };
}

interface Model {
  readonly info: { readonly model_id: string };
  readonly data?: { readonly metrics?: readonly { readonly step: number }[] };
}

interface Exported {
  readonly left: readonly string[];
  readonly progress: { readonly runs: number; readonly passedBy: number };
}

/** Exports a project of one server into one of another, which speaks as MLflow's does. */
async function twoServers() {
  const [from, to] = [await startControlPlane(), await startControlPlane()];
  await ensureProject(from.client, 'old');
  for (const name of ['new', 'far']) await ensureProject(to.client, name);
  const run = async (url: string, project: string, target: string, more: readonly string[]): Promise<Exported> => {
    const args = ['export', 'mlflow', '--to', `${to.url}/projects/${target}`, '--url', url, '--project', project];
    const { status, stdout, stderr } = await runTidemill([...args, '--json', ...more]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return JSON.parse(stdout) as Exported;
  };
  return {
    here: mlflowOf(from.client.inProject('old')),
    there: mlflowOf(to.client.inProject('new')),
    far: mlflowOf(to.client.inProject('far')),
    exportNow: (...more: readonly string[]) => run(from.url, 'old', 'new', more),
    exportOn: () => run(to.url, 'new', 'far', []),
  };
}

test('a run that goes on while it is exported is completed by the next export, and one that was resumed too', async () => {
  const { here, there, exportNow } = await twoServers();
  const runId = await here.makeRun(await here.makeExperiment('long'));
  await here.log(runId, 1);
  expect(await exportNow()).toMatchObject({ left: [], progress: { runs: 1, passedBy: 0 } });

  for (const step of [2, 3]) await here.log(runId, step);
  expect(await exportNow()).toMatchObject({ left: [], progress: { runs: 1, passedBy: 0 } });
  const [running, ...others] = await there.runsOf('long');
  if (running === undefined) throw new Error('no run is there');
  expect(others).toEqual([]);
  expect(running.info.status).toBe('RUNNING');
  expect(await there.stepsOf(running)).toEqual([1, 2, 3]);

  await here.log(runId, 4);
  await here.post('runs/update', { run_id: runId, status: 'FINISHED', end_time: 9 });
  await exportNow();
  expect(await there.runsOf('long')).toMatchObject([{ info: { status: 'FINISHED', end_time: 9 } }]);
  expect(await there.stepsOf(running)).toEqual([1, 2, 3, 4]);
  expect(await exportNow()).toMatchObject({ left: [], progress: { runs: 1, passedBy: 1 } });

  await here.log(runId, 5);
  expect(await exportNow()).toMatchObject({ left: [], progress: { runs: 1, passedBy: 0 } });
  expect(await there.stepsOf(running)).toEqual([1, 2, 3, 4, 5]);
  await here.post('runs/delete', { run_id: runId });
  await exportNow();
  expect(await there.runsOf('long')).toMatchObject([{ info: { lifecycle_stage: 'deleted' } }]);
}, 120_000);

test('a logged model that a run has read is its input there, also when its experiment is exported later', async () => {
  const { here, there, exportNow } = await twoServers();
  const [first, second] = [await here.makeExperiment('reads'), await here.makeExperiment('makes')];
  await here.makeRun(second);
  const [runId, modelId] = [await here.makeRun(first), await here.makeModel(second)];
  await here.post('runs/log-inputs', { run_id: runId, models: [{ model_id: modelId }] });
  await here.post('runs/update', { run_id: runId, status: 'FINISHED', end_time: 9 });

  expect(await exportNow('--experiment', 'reads')).toMatchObject({ left: [expect.stringContaining(modelId)] });
  expect(await exportNow()).toMatchObject({ left: [], progress: { runs: 2, passedBy: 0 } });
  const [model] = await there.modelsOf('makes');
  const isThere = [{ inputs: { model_inputs: [{ model_id: model?.info.model_id }] } }];
  expect(await there.runsOf('reads')).toMatchObject(isThere);
  expect(await exportNow()).toMatchObject({ left: [], progress: { runs: 2, passedBy: 1 } }); // the other one goes on
  expect(await there.runsOf('reads')).toMatchObject(isThere);
}, 120_000);

test('metrics of a logged model follow, also when the run that measures it comes later and goes on', async () => {
  const { here, there, exportNow } = await twoServers();
  const [first, second] = [await here.makeExperiment('makes'), await here.makeExperiment('measures')];
  await here.makeRun(first);
  const [modelId, runId] = [await here.makeModel(first), await here.makeRun(second)];
  const measure = (step: number) =>
    here.post('runs/log-metric', { run_id: runId, model_id: modelId, key: 'auc', value: 0.5, timestamp: step, step });
  const measuredThere = async () => {
    const [model, ...others] = await there.modelsOf('makes');
    expect(others).toEqual([]);
    return model?.data?.metrics?.map(({ step }) => step).toSorted();
  };
  await measure(1);
  expect(await exportNow('--experiment', 'makes')).toMatchObject({ left: [expect.stringContaining(runId)] });
  expect(await exportNow()).toMatchObject({ left: [] });
  expect(await measuredThere()).toEqual([1]);
  await measure(2);
  for (let twice = 0; twice < 2; twice += 1) {
    expect(await exportNow()).toMatchObject({ left: [] });
    expect(await measuredThere()).toEqual([2]); // a search tells the latest
  }
}, 120_000);

test('what an export has brought goes on to a third server as one thing', async () => {
  const { here, far, exportNow, exportOn } = await twoServers();
  const runId = await here.makeRun(await here.makeExperiment('onward'));
  await here.post('runs/update', { run_id: runId, status: 'FINISHED', end_time: 9 });
  await exportNow();
  for (const passedBy of [0, 1]) expect(await exportOn()).toMatchObject({ left: [], progress: { runs: 1, passedBy } });
  expect(await far.runsOf('onward')).toHaveLength(1);
}, 120_000);
