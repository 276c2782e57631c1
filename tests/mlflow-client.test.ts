import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '#platform/testing/database';
import { createMlflowTestServer, type MlflowTestServer } from '../src/protocols/mlflow/mlflow-test-server.ts';
import { ensurePython, exampleRequirements, pythonSetUpMs, runMlflowScript } from './support/mlflow-script.ts';

const scriptMs = 180_000;

let database: TestDatabase;
let server: MlflowTestServer;
let url: string;
let python: string;

beforeAll(async () => {
  ({ pythonPath: python } = await ensurePython(exampleRequirements));
  database = await openTestDatabase();
  server = await createMlflowTestServer({ database, clock: database.clock, ids: database.ids });
  url = await server.app.listen({ host: '127.0.0.1', port: 0 });
}, pythonSetUpMs);

afterAll(async () => {
  await server.app.close();
  await database.close();
});

/** What a script prints last, as JSON; it runs against a project of the server. */
async function runScript(script: string, project: string): Promise<unknown> {
  await database.write({ actor: 'user:test' }, (unit) => server.projects.ensure(unit, project));
  return runMlflowScript(python, script, { trackingUri: `${url}/projects/${project}`, timeoutMs: scriptMs });
}

test(
  'an unmodified MLflow client logs, registers, searches and loads models back, in its own project',
  async () => {
    expect(await runScript('mlflow_client.py', 'flights')).toEqual({
      experiment: '1',
      same_predictions: true,
      alias_predicts: 2,
      number_predicts: 2,
      versions: [1, 2],
      version_runs: [true],
      aliases: expect.anything(),
      params: { c: '1.0', solver: 'lbfgs' },
      auc: 0.75,
      loss_is_nan: true,
      curve: [0, 0.1, 0.2, 0.3, 0.4],
      tag: 'ops',
      status: 'FINISHED',
      datasets: ['training-rows'],
      outputs: 1,
      artifacts: ['notes', 'report'],
      note: 'hello',
      report: { a: [1, 2] },
      child_parent: true,
      found: ['parent'],
      logged_models: 3,
      changed_param: 'INVALID_PARAMETER_VALUE',
    });
    expect(await server.registry.alias(database.read, 'flights', 'clients-model', 'live')).toMatchObject({
      version: 1,
    });
    const { nodes } = await server.lineage.trace(database.read, 'flights', 'model:clients-model@live', {
      direction: 'up',
    });
    expect(nodes.some(({ ref }) => ref.startsWith('tracking-run:'))).toBe(true);
    expect(await server.tracking.experimentByName(database.read, 'default', 'client')).toBeUndefined();
  },
  scriptMs,
);

test(
  'registered_model_name registers each logged model as a version of its run, and errors carry the codes that clients match',
  async () => {
    const missing = 'RESOURCE_DOES_NOT_EXIST';
    const invalid = 'INVALID_PARAMETER_VALUE';
    expect(await runScript('mlflow_registered_model.py', 'registering')).toEqual({
      registered: ['1', '2'],
      runs: true,
      status: ['READY', 'READY'],
      names: ['late'],
      latest: expect.anything(),
      predicts: [0, 0, 0, 1, 1, 1],
      errors: {
        'missing run': missing,
        'missing experiment': missing,
        'missing model': missing,
        'missing version': missing,
        'missing alias': invalid, // as MLflow's own server says it
        'model there already': 'RESOURCE_ALREADY_EXISTS',
        'experiment there already': 'RESOURCE_ALREADY_EXISTS',
        filter: invalid,
        'metric name': invalid,
      },
    });
    const { nodes } = await server.lineage.trace(database.read, 'registering', 'model:late@2', { direction: 'up' });
    expect(nodes.some(({ ref }) => ref.startsWith('logged-model:'))).toBe(true);
  },
  scriptMs,
);
