import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { scrubEnvironment } from '../../src/platform/processes.ts';
import { aControlPlane, aPlane, ready } from '../../src/serving/testing/plane-in-test.ts';
import { aHome, anEndpoint, fixture } from '../../src/serving/testing/test-plane.ts';
import { temporaryFolder } from '../support/control-plane.ts';
import { ensurePython, pythonSetUpMs } from '../support/mlflow-script.ts';

const run = promisify(execFile);
const guideMs = 60_000;

let python: string;
beforeAll(async () => {
  ({ pythonPath: python } = await ensurePython('tests/python/requirements/tritonclient.txt'));
}, pythonSetUpMs);

test(
  'the commands and the script of docs/serving.md work as they stand',
  async () => {
    const page = await readFile(join(import.meta.dirname, '../../docs/serving.md'), 'utf8');
    const block = (mark: string) => new RegExp(`<!-- ${mark} -->\n\`\`\`\\w+\n(.*?)\`\`\``, 's').exec(page)?.[1] ?? '';
    const control = await aControlPlane();
    const revision = control.revision('r', fixture('columns-1.onnx'), { modelRef: 'model:late@4' });
    control.publish({ endpoints: [anEndpoint([revision], { name: 'late' })] });
    const plane = await aPlane(control, aHome());
    await ready(control, 1);
    const cwd = await temporaryFolder();
    await writeFile(join(cwd, 'ask.py'), block('file: ask\\.py'));
    const options = { cwd, env: { ...scrubEnvironment(process.env), SERVING: plane.url }, timeout: guideMs };

    // each answer on a line of its own
    const answers = async (mark: string): Promise<readonly unknown[]> => {
      const script = block(mark).replaceAll('curl --fail', "curl --write-out '\\n' --fail");
      const { stdout } = await run('sh', ['-euc', script], options);
      return stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
    };
    const [index, model, inferred, generated, packed, stats] = await answers('run: curl');
    expect(index).toEqual([{ name: 'late', version: '4', state: 'READY', reason: '' }]);
    expect(model).toMatchObject({ name: 'late', versions: ['4'] });
    expect(inferred).toEqual({
      model_name: 'late',
      model_version: '4',
      id: 'two-flights',
      outputs: [{ name: 'score', datatype: 'FP32', shape: [2, 1], data: [1401, 734.5] }],
    });
    expect(generated).toMatchObject({ score: [1401, 734.5], carrier_out: ['UA', 'AA'] });
    expect(packed).toMatchObject({ score: 1401 });
    expect(stats).toMatchObject({ model_stats: [{ name: 'late', version: '4', inference_count: 5 }] });

    const one = { score: 1401, carrier_out: 'UA', flight_out: 1545 };
    expect(await answers('run: tables')).toEqual([
      { predictions: [one, { score: 734.5, carrier_out: 'AA', flight_out: 1141 }] },
      { predictions: [one] },
      { predictions: [{ score: [1401], carrier_out: ['UA'], flight_out: [1545] }] },
    ]);

    const asked = await run(python, ['ask.py'], options);
    expect(asked.stdout.replaceAll(/\s+/g, ' ').trim()).toBe('[[1401. ] [ 734.5]] 4');
  },
  guideMs,
);
