import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runCommand, scrubEnvironment } from '#platform/processes';
import { findPython } from './find-python.ts';
import { createPythonEnvironments, normaliseRequirements } from './python-environments.ts';

const env = scrubEnvironment(process.env);

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-python-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A package that is built from its folder, without a build tool: the whole way is walked and no index is asked for it. */
async function localWheel(folder: string): Promise<string> {
  await mkdir(join(folder, 'wheels'), { recursive: true });
  const make = `
import zipfile, sys
with zipfile.ZipFile(sys.argv[1], 'w') as z:
    z.writestr('tinyflow.py', 'def main(): print("tinyflow 1.0 runs")\\n')
    z.writestr('tinyflow-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: tinyflow\\nVersion: 1.0\\n')
    z.writestr('tinyflow-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    z.writestr('tinyflow-1.0.dist-info/entry_points.txt', '[console_scripts]\\ntinyflow = tinyflow:main\\n')
    z.writestr('tinyflow-1.0.dist-info/RECORD', '')
`;
  const wheel = join(folder, 'wheels', 'tinyflow-1.0-py3-none-any.whl');
  await runCommand(['python3', '-c', make, wheel], { env });
  return wheel;
}

describe('a Python environment', { timeout: 120_000 }, () => {
  test('is built once for everyone who asks, runs its packages, and is rebuilt when a crash left half of it', async () => {
    const folder = await temporaryFolder();
    const requirementsText = `# ours\n${await localWheel(folder)}\n`;
    const open = () => createPythonEnvironments({ folder: join(folder, 'python'), env });
    const lines: string[] = [];
    const [one, two] = [open(), open()]; // two processes would share the lock file just so
    const asked = [one, one, two].map((environments) =>
      environments.ensureEnvironment({ requirementsText, onProgress: (line) => lines.push(line) }),
    );
    const [first, ...others] = await Promise.all(asked);
    for (const other of others) expect(other).toEqual(first);
    expect(lines.filter((line) => line === 'installing the requirements')).toHaveLength(1);
    expect(await readdir(join(folder, 'python', 'environments'))).toHaveLength(1);

    const script = join(first?.binPath ?? '', 'tinyflow');
    expect((await runCommand([script], { env })).stdout).toBe('tinyflow 1.0 runs\n');

    lines.length = 0;
    await one.ensureEnvironment({ requirementsText, onProgress: (line) => lines.push(line) });
    expect(lines).toEqual([]);

    await rm(join(first?.binPath ?? '', '..', '.ready'));
    await rm(script);
    await two.ensureEnvironment({ requirementsText });
    expect((await runCommand([script], { env })).code).toBe(0);

    const failing = one.ensureEnvironment({ requirementsText: `${join(folder, 'absent-1.0-py3-none-any.whl')}\n` });
    await expect(failing).rejects.toMatchObject({
      code: 'PYTHON_ENVIRONMENT_FAILED',
      message: expect.stringContaining('absent-1.0'),
    });
  });
});

describe('finding Python', () => {
  test('gives path, version and platform', async () => {
    const python = await findPython({ env });
    expect(python.path).toMatch(/^\/.*python/);
    expect(python.version).toMatch(/^3\.\d+\.\d+$/);
  });

  test('says when there is none, and when the one there is too old', async () => {
    const folder = await temporaryFolder();
    await expect(findPython({ env: { PATH: folder } })).rejects.toMatchObject({ code: 'PYTHON_NOT_FOUND' });
    await writeFile(join(folder, 'python3'), '#!/bin/sh\nprintf "/opt/python3\\n3.9.2\\ncpython-39\\n"\n', {
      mode: 0o755,
    });
    await expect(findPython({ env: { PATH: folder } })).rejects.toMatchObject({
      code: 'PYTHON_TOO_OLD',
      message: expect.stringContaining('/opt/python3 is Python 3.9.2'),
    });
  });
});

test('comments and blank lines do not make another environment', async () => {
  expect(normaliseRequirements('# a\r\nx==1  # why\n\n  \ny==2\n')).toBe('x==1\ny==2\n');
  expect(normaliseRequirements('x @ https://a.example/x#sha256=1')).toContain('#sha256=1');
});
