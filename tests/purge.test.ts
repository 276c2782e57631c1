import { beforeAll, describe, expect, test } from 'vitest';
import { listEvents } from '../src/contracts/event-operations.ts';
import { traceLineage } from '../src/contracts/lineage.ts';
import { newPostgresUrl } from '../src/platform/testing/database.ts';
import type { Client } from '../src/sdk/index.ts';
import { runTidemill } from './support/command-line.ts';
import { startControlPlane } from './support/control-plane.ts';
import { ensurePython, exampleRequirements, pythonSetUpMs, runMlflowScript } from './support/mlflow-script.ts';

const scriptMs = 240_000;
let python: string;

beforeAll(async () => {
  ({ pythonPath: python } = await ensurePython(exampleRequirements));
}, pythonSetUpMs);

const runScript = <T>(url: string, script: string, ...args: string[]): Promise<T> =>
  runMlflowScript<T>(python, script, { trackingUri: url, timeoutMs: scriptMs, arguments: args });

interface Logged {
  readonly experiment: string;
  readonly parent: string;
  readonly child: string;
  readonly evaluation: string;
  readonly model: string;
  readonly digest: string;
}

async function refsUp(client: Client, ref: string): Promise<readonly string[]> {
  const { nodes } = await client.call(traceLineage, { query: { ref, direction: 'up' } });
  return nodes.map((node) => node.ref);
}

describe.each(['sqlite', 'postgres'] as const)('what an MLflow client logs, on %s', (dialect) => {
  test(
    'is in the graph, has its pages, and is purged without taking what others use',
    async () => {
      const { client, url } = await startControlPlane(
        dialect === 'postgres' ? { databaseUrl: await newPostgresUrl() } : {},
      );
      const ids = await runScript<Logged>(url, 'mlflow_lineage.py');

      // every version leads up to the data that it was trained on, whatever names are made of
      const data = [
        `dataset:plain@${ids.digest}`,
        `dataset:train%20set/2026@${ids.digest}`,
        `dataset:日本語%20data%40v1@${ids.digest}`,
      ];
      const runs = [`tracking-run:${ids.child}`, `tracking-run:${ids.parent}`];
      for (const version of ['model:Late arrivals@1', 'model:copied@1', 'model:old@1', 'model:by run@1'])
        expect([version, ...(await refsUp(client, version))]).toEqual(expect.arrayContaining([...data, ...runs]));
      expect(await refsUp(client, 'model:copied@1')).toEqual(
        expect.arrayContaining(['model:Late%20arrivals@1', `logged-model:${ids.model}`]),
      );
      expect(await refsUp(client, `tracking-run:${ids.evaluation}`)).toContain(`logged-model:${ids.model}`);

      const page = async (path: string) => {
        const answer = await fetch(`${url}${path}`);
        return [answer.status, await answer.text()] as const;
      };
      const runPath = `/ui/experiments/${ids.experiment}/runs/${ids.child}`;
      const [status, text] = await page(runPath);
      expect(status).toBe(200);
      for (const shown of ['train set/2026', 'notes.txt', 'Late arrivals@1', '<path class="course"'])
        expect(text).toContain(shown);

      // the command line: counts first, asks, and says what went
      const tidemill = (...args: string[]) => runTidemill(['--url', url, ...args]);
      const purge = ['experiment', 'purge', ids.experiment];
      expect(await tidemill(...purge)).toMatchObject({ status: 2, stderr: expect.stringContaining('--force') });
      const offered = async (command: string) =>
        (await runTidemill(['complete', '--', '--url', url, 'experiment', command, ''])).stdout.split(/\s+/);
      expect(await offered('restore')).not.toContain(ids.experiment);
      await tidemill('experiment', 'delete', ids.experiment);
      expect(await offered('restore')).toContain(ids.experiment);
      expect(await offered('delete')).not.toContain(ids.experiment);
      expect(await tidemill(...purge)).toMatchObject({ status: 2, stderr: expect.stringContaining('--yes') });
      const dry = JSON.parse((await tidemill(...purge, '--dry-run', '--json')).stdout) as Record<string, unknown>;
      // twenty points of the run, and the last of them for the model that it logged
      expect(dry).toMatchObject({ experiments: 1, runs: 3, loggedModels: 1, points: 21, name: 'lineage' });
      const done = JSON.parse((await tidemill(...purge, '--yes', '--json')).stdout) as object;
      expect(done).toMatchObject({
        state: 'done',
        removed: { experiments: 1, runs: 3, loggedModels: 1, points: 21, files: dry['files'] },
      });

      // gone, with its name; its files are still those of the versions
      expect((await page(runPath))[0]).toBe(404);
      expect((await page(`/ui/experiments/${ids.experiment}`))[1]).toContain('it was purged');
      const uris = ['models:/Late arrivals/1', 'models:/copied/1'];
      expect(await runScript(url, 'mlflow_load.py', ...uris)).toEqual(
        Object.fromEntries(uris.map((uri) => [uri, [2]])),
      );
      expect(await refsUp(client, 'model:Late arrivals@1')).toEqual(expect.arrayContaining([...data, ...runs]));
      const again = await fetch(`${url}/api/2.0/mlflow/experiments/create`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'lineage' }),
      });
      expect(await again.json()).toEqual({ experiment_id: String(Number(ids.experiment) + 1) });
      const { items } = await client.call(listEvents, {
        query: { type: ['purge.requested', 'experiment.purged', 'purge.finished'], order: 'asc' },
      });
      expect(items.map(({ type, subject }) => `${type} ${subject}`)).toEqual(
        ['purge.requested', 'experiment.purged', 'purge.finished'].map(
          (type) => `${type} experiment:${ids.experiment}`,
        ),
      );
    },
    2 * scriptMs,
  );
});
