import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { scrubEnvironment } from '#platform/processes';
import { createPythonEnvironments } from '#platform/python-environments';
import { defaultRequirements } from '#runtimes/python/python-runtime';
import { aControlPlane, aPlane, ready } from './testing/plane-in-test.ts';
import { aHome, anEndpoint, buildTimeoutMs, fixture, post } from './testing/test-plane.ts';

const environments = createPythonEnvironments({
  folder: resolve('node_modules/.cache/tidemill-python'),
  env: scrubEnvironment(process.env),
});
const ask = (value: string) =>
  JSON.stringify({ inputs: [{ name: 'what', datatype: 'BYTES', shape: [1, 1], data: [value] }] });

describe('a model in Python behind the data plane', { timeout: buildTimeoutMs }, () => {
  beforeAll(() => environments.ensureEnvironment({ requirementsPath: defaultRequirements }), buildTimeoutMs);

  test('a process that is killed under load costs what it had in its hands a 503, and nothing else', async () => {
    const control = await aControlPlane();
    const home = aHome();
    const plane = await aPlane(control, home);
    const revision = control.revision('r1', fixture('python/misbehaving/model.py'), {
      runtime: 'python',
      maxBatchRows: 1,
    });
    const { generation } = control.publish({ endpoints: [anEndpoint([revision], { workers: { count: 2 } })] });
    await ready(control, generation);
    const hanging = [post(plane.infer, ask('hang')), post(plane.infer, ask('hang'))];
    const pidsOfHanging = async () => {
      const files = await readdir(join(home, 'workers'), { recursive: true });
      return files.flatMap((name) => /hanging-(\d+)$/.exec(name)?.[1] ?? []).map(Number);
    };
    await expect.poll(pidsOfHanging, { timeout: 20_000 }).toHaveLength(2);
    const others = Array.from({ length: 20 }, () => post(plane.infer, ask('fine')));
    for (const pid of await pidsOfHanging()) process.kill(pid, 'SIGKILL');
    for (const { status, json } of await Promise.all(hanging)) {
      expect(status).toBe(503);
      expect(JSON.stringify(json)).toContain('it was ended by SIGKILL');
    }
    const statuses = (await Promise.all(others)).map(({ status }) => status);
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect((await post(plane.infer, ask('fine'))).status).toBe(200);

    const raised = await post(plane.infer, ask('raise'));
    expect(raised.status).toBe(500);
    expect(JSON.stringify(raised.json)).not.toContain('Traceback');
  });
});
