import { delimiter } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensureProject } from '../src/cli/workspace/send.ts';
import { createToken, type Role } from '../src/contracts/identity.ts';
import type { PythonEnvironment } from '../src/platform/python-environments.ts';
import { newPostgresUrl } from '../src/platform/testing/database.ts';
import { conformanceTable } from '../src/protocols/mlflow/conformance/conformance-table.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';
import { clientRequirements, ensurePython, pythonSetUpMs, runMlflowScript } from './support/mlflow-script.ts';

const scriptMs = 600_000; // on a machine full of others; it takes 20 to 45 s of processor time

interface Report {
  readonly mlflow: string;
  readonly passed: readonly string[];
  readonly skipped: Readonly<Record<string, string>>;
  readonly failed: Readonly<Record<string, string>>;
  /** Methods of MlflowClient that belong to T1 and that no check has called. */
  readonly uncalled: readonly string[];
  readonly sent: readonly string[];
  /** Calls that were answered by 5xx, or that no server is there for. */
  readonly unanswered: readonly string[];
}

const everything: readonly string[] = [];
/** What says most about another database in the least time. */
const stored = ['workers', 'experiments', 'runs', 'run_search', 'artifacts', 'logged_models', 'registry', 'prompts'];

/** Checks that a version has; the others need what it has not. */
const clients = [
  { client: '2.9', database: 'postgres', areas: everything, passed: 84 },
  { client: '2.22', database: 'sqlite', areas: everything, passed: 92 },
  { client: '3.1', database: 'postgres', areas: everything, passed: 103 },
  { client: '3.17', database: 'sqlite', areas: everything, passed: 110 },
  { client: '3.17', database: 'postgres', areas: [...stored, 'registry_search'], passed: 74 },
] as const;

/** The calls that docs/reference/mlflow.md says are there. */
const there = Object.values(conformanceTable)
  .flatMap(({ endpoints }) => endpoints)
  .filter(({ state }) => state !== 'not yet')
  .map(({ call }) => new RegExp(`^${call.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]+').replaceAll('*', '.+')}$`));
const isThere = (sent: string) => there.some((call) => call.test(sent.replace('/api/', '/')));

describe('unmodified MLflow clients, with their tokens, in a project of a server with authentication', () => {
  const built = new Map<string, PythonEnvironment>();
  beforeAll(async () => {
    for (const { client } of clients) built.set(client, await ensurePython(clientRequirements(client)));
  }, pythonSetUpMs);

  test.each(clients)(
    'MLflow $client on $database does every T1 call that it knows',
    async ({ client, database, areas, passed }) => {
      const server = await startControlPlane({
        auth: 'on',
        ...(database === 'postgres' && { databaseUrl: await newPostgresUrl() }),
      });
      const project = await ensureProject(server.client, 'flights');
      const tokenOf = async (role: Role) => (await project.call(createToken, { body: { name: role, role } })).token;
      const { pythonPath, binPath } = built.get(client) ?? { pythonPath: '', binPath: '' };
      const report = await runMlflowScript<Report>(pythonPath, 't1_calls.py', {
        trackingUri: `${server.url}/projects/flights`,
        timeoutMs: scriptMs,
        maxBytes: 64 * 1024 * 1024,
        arguments: areas,
        variables: {
          PATH: [binPath, process.env['PATH']].join(delimiter),
          MLFLOW_TRACKING_TOKEN: await tokenOf('editor'),
          VIEWER_TOKEN: await tokenOf('viewer'),
          SERVER_URL: server.url,
          T1_FOLDER: await temporaryFolder(),
          MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT: '1', // what autologging would find out in half a minute, no server sees
        },
      });
      expect(report.failed).toEqual({});
      expect(report.mlflow).toMatch(new RegExp(`^${client.replace('.', '\\.')}\\.`));
      expect(report.unanswered).toEqual([]);
      expect(report.sent.filter((sent) => !isThere(sent))).toEqual([]);
      expect(report.passed).toHaveLength(passed);
      expect(areas.length === 0 ? report.uncalled : []).toEqual([]);
    },
    scriptMs,
  );
});
