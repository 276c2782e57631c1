import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { SpecEndpoint } from '#contracts/deployment-spec';
import { runCommand, scrubEnvironment } from '#platform/processes';
import { createPythonEnvironments } from '#platform/python-environments';
import { defaultRequirements } from '#runtimes/python/python-runtime';
import type { FakeControlPlane } from './testing/fake-control-plane.ts';
import { aControlPlane, aPlane, ready, scores } from './testing/plane-in-test.ts';
import { aHome, anEndpoint, buildTimeoutMs, fixture, post } from './testing/test-plane.ts';

const env = scrubEnvironment(process.env);
const environments = createPythonEnvironments({ folder: resolve('node_modules/.cache/tidemill-python'), env });
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

  test('a new version of a pickle takes over under load without one failed request, and the old process ends', async () => {
    const { control, aPickle } = await pickles();
    const endpoint = (number: 1 | 2) => anEndpoint([aPickle(number)], { workers: { count: 1 } });
    control.publish({ endpoints: [endpoint(1)] });
    const home = aHome();
    const plane = await aPlane(control, home);
    await ready(control, 1);
    let isOn = true;
    const seen = new Map<string, number>();
    const calls = Array.from({ length: 8 }, async (_, caller) => {
      for (let turn = caller; isOn; turn += 8) {
        const answer = await post(plane.infer, row(turn));
        const plus = Math.round(Number(scores(answer)) - turn);
        const key = `${answer.status} of ${answer.headers.get('x-tidemill-revision')} gave ${plus}`;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
    });
    const reached = (key: string) => expect.poll(() => seen.get(key) ?? 0, { timeout: 60_000 }).toBeGreaterThan(50);
    await reached('200 of r1 gave 1');
    control.publish({ endpoints: [endpoint(2)] });
    await ready(control, 2);
    await reached('200 of r2 gave 2');
    isOn = false;
    await Promise.all(calls);
    expect([...seen.keys()].toSorted()).toEqual(['200 of r1 gave 1', '200 of r2 gave 2']);
    // one home a model: the old one's went with its process
    await expect.poll(() => readdir(join(home, 'workers/python')), { timeout: 20_000 }).toHaveLength(1);
  });

  test('pickles beyond the budget of memory leave it, and those that nobody asks: all who ask then wait for one load', async () => {
    const { control, aPickle } = await pickles();
    const [first, second] = [aPickle(1), aPickle(2)];
    const endpoints = (more: Partial<SpecEndpoint> = {}) => [
      anEndpoint([first], { name: 'one', ...more }),
      anEndpoint([second], { name: 'two', ...more }),
    ];
    control.publish({ endpoints: endpoints().slice(0, 1) });
    const home = aHome();
    let { url, stop } = await aPlane(control, home);
    await ready(control, 1);
    const figures = async () => (await fetch(`${url}/metrics`)).text();
    const aProcess = Number(/^tidemill_serving_model_memory_bytes (\d+)/m.exec(await figures())?.[1]);
    await stop();
    // enough for one process, and not for two
    ({ url, stop } = await aPlane(control, home, { memoryBytes: 1.5 * aProcess }));
    const figure = async (name: string, endpoint: string) => {
      const pattern = new RegExp(`^tidemill_serving_${name}\\{[^}]*endpoint="${endpoint}"[^}]*\\} (\\d+)`, 'm');
      return Number(pattern.exec(await figures())?.[1]);
    };
    const loaded = async () => [await figure('model_loaded', 'one'), await figure('model_loaded', 'two')];
    const homes = () => readdir(join(home, 'workers/python'));
    const askMany = async (name: string, plus: number) => {
      const urls = Array.from({ length: 20 }, () => `${url}/v2/models/${name}/infer`);
      const answers = await Promise.all(urls.map((one, turn) => post(one, row(turn))));
      expect(answers.map(({ status }) => status)).toEqual(urls.map(() => 200));
      expect(answers.map((answer) => Number(scores(answer)).toFixed(3))).toEqual(
        urls.map((_, turn) => (turn + plus).toFixed(3)),
      );
    };
    const patient = { timeout: 20_000 };

    control.publish({ endpoints: endpoints() });
    await ready(control, 2);
    await askMany('two', 2); // whichever came last, now it is this one
    await expect.poll(loaded, patient).toEqual([0, 1]);
    await askMany('one', 1);
    expect(await figure('model_reloads_total', 'one')).toBe(1);
    await expect.poll(loaded, patient).toEqual([1, 0]);
    await expect.poll(homes, patient).toHaveLength(1);

    control.publish({ endpoints: endpoints({ idleMs: 100 }) });
    await expect.poll(loaded, patient).toEqual([0, 0]);
    await expect.poll(homes, patient).toEqual([]);
    expect((await fetch(`${url}/v2/models/one/ready`)).status).toBe(200);
    await askMany('one', 1);
    expect(await figure('model_reloads_total', 'one')).toBe(2);
  });
});

const row = (value: number) => ({ inputs: [{ name: 'input-0', datatype: 'FP64', shape: [1, 1], data: [value] }] });

/** Estimators of scikit-learn that add a number, as revisions. */
async function pickles(): Promise<{
  readonly control: FakeControlPlane;
  readonly aPickle: (number: 1 | 2) => ReturnType<FakeControlPlane['revision']>;
}> {
  const control = await aControlPlane();
  const folder = aHome();
  const { pythonPath } = await environments.ensureEnvironment({ requirementsPath: defaultRequirements });
  const { tail } = await runCommand([pythonPath, fixture('python/make-pickles.py'), folder, '1', '2'], { env });
  const path = (number: 1 | 2) => {
    const made = join(folder, `plus-${number}.pkl`);
    if (!existsSync(made)) throw new Error(tail.join('\n'));
    return made;
  };
  return { control, aPickle: (number) => control.revision(`r${number}`, path(number), { runtime: 'python' }) };
}
