import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { collect, runTidemill, startTidemill } from './support/command-line.ts';
import { temporaryFolder } from './support/control-plane.ts';
import { startPair } from './support/running-server.ts';

test('logs -f prints what a step writes while it writes it, and ends with it; status says that nothing listens for gRPC', async () => {
  const pair = await startPair();
  const folder = await temporaryFolder();
  const go = join(folder, 'go');
  await writeFile(
    join(folder, 'tidemill.yaml'),
    `project: talk
pipelines:
  slow: { steps: { say: { run: 'echo one; until [ -e "$GO" ]; do sleep 0.02; done; echo two; exit 3', env: { GO: '${go}' } } } }
`,
  );
  const run = (...line: readonly string[]) => runTidemill([...line, '--home', pair.home], { cwd: folder });
  expect(await run('apply')).toMatchObject({ status: 0 });
  const started = JSON.parse((await run('run', 'slow', '--json')).stdout) as { readonly id: string };

  const following = startTidemill(['logs', `${started.id}/say`, '-f', '--home', pair.home], { cwd: folder });
  const ended = collect(following);
  let heard = '';
  following.stdout?.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  await expect.poll(() => heard, { timeout: 30_000 }).toBe('one\n');
  expect(following.exitCode).toBeNull();
  await writeFile(go, '');
  expect(await ended).toMatchObject({ status: 0, stdout: 'one\ntwo\n' });
  expect(await run('logs', started.id)).toMatchObject({ status: 0, stdout: 'one\ntwo\n' });

  const { parts } = JSON.parse((await run('status', '--json')).stdout) as { readonly parts: readonly object[] };
  expect(parts).toContainEqual({
    part: 'grpc',
    state: 'not there yet',
    says: expect.stringContaining('nothing listens on it'),
  });
}, 120_000);
