import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll } from 'vitest';
import { scrubEnvironment } from '../../src/platform/processes.ts';
import type { DataPlane } from '../../src/serving/data-plane.ts';
import { type FakeControlPlane, startFakeControlPlane } from '../../src/serving/testing/fake-control-plane.ts';
import { aHome, anEndpoint, fixture, startTestPlane } from '../../src/serving/testing/test-plane.ts';
import { ensurePython, pythonSetUpMs } from './mlflow-script.ts';

const run = promisify(execFile);

/** For all tests of a file: a data plane with models of these names, one of them in two projects, and scripts with tritonclient. */
export function useTritonPlane(
  models: Readonly<Record<string, string>>,
  options: Parameters<typeof startTestPlane>[2] & { readonly scriptMs: number },
) {
  const { scriptMs, ...more } = options;
  let control: FakeControlPlane;
  let plane: DataPlane;
  let python: string;

  beforeAll(async () => {
    ({ pythonPath: python } = await ensurePython('tests/python/requirements/tritonclient.txt'));
    control = await startFakeControlPlane();
    const single = (name: string, file: string) => anEndpoint([control.revision(name, fixture(file))], { name });
    const here = Object.entries(models).map(([name, file]) => single(name, file));
    control.publish({ endpoints: [...here, { ...single('bc', 'breast-cancer.onnx'), project: 'flights' }] });
    plane = await startTestPlane(control, aHome(), more);
    await control.reported(({ state }) => state === 'ready');
  }, pythonSetUpMs);

  afterAll(async () => {
    await plane.stop();
    await control.goAway();
  });

  /** The lines that a script prints. */
  const runScript = async (script: string, ...given: readonly string[]): Promise<readonly string[]> => {
    const { stdout } = await run(python, [`tests/python/${script}`, ...given], {
      env: scrubEnvironment(process.env),
      timeout: scriptMs,
      maxBuffer: 64 * 1024 ** 2,
    });
    return stdout.trim().split('\n');
  };
  return { plane: () => plane, runScript };
}
