import { createInterface } from 'node:readline';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { findDataPlane } from '../src/app/data-plane-process.ts';
import { builtModule } from '../src/platform/testing/built-program.ts';
import { collect, startTidemill } from './support/command-line.ts';
import { temporaryFolder } from './support/control-plane.ts';

beforeAll(async () => void (await builtModule('cli/main.js')), 180_000);

/** `tidemill up` as a person starts it; its words come when it has ended. */
async function start() {
  const home = await temporaryFolder();
  const child = startTidemill(['up', '--home', home, '--port', '0', '--serving-port', '0']);
  const ended = collect(child);
  if (child.stdout === null || child.stderr === null) throw new Error('its words are not read');
  const said = createInterface({ input: child.stderr });
  await new Promise((resolve) => createInterface({ input: child.stdout ?? process.stdin }).once('line', resolve));
  const dataPlane = await findDataPlane(`${home}/serving`);
  if (dataPlane === undefined) throw new Error('no data plane runs');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if ((await findDataPlane(`${home}/serving`)) !== undefined) process.kill(dataPlane.pid, 'SIGKILL');
  });
  return { child, ended, said, dataPlane };
}

test('Ctrl-C says that it stops, also when it comes twice through npm, and then that it has stopped', async () => {
  const { child, ended } = await start();
  child.kill('SIGINT');
  child.kill('SIGINT');
  const { status, stderr } = await ended;
  expect({ status, said: stderr.trim().split('\n') }).toEqual({
    status: 0,
    said: ['Stopping: what is under way is answered and recorded; Ctrl-C again ends at once.', 'Stopped.'],
  });
}, 60_000);

test('a second Ctrl-C ends it at once', async () => {
  const { child, ended, said, dataPlane } = await start();
  process.kill(dataPlane.pid, 'SIGSTOP'); // it hands nothing over, and does not end
  const stopping = new Promise((resolve) => said.once('line', resolve));
  child.kill('SIGINT');
  expect(await stopping).toContain('Stopping');
  const again = setInterval(() => child.kill('SIGINT'), 100); // until it counts as another one
  const { stderr } = await ended;
  clearInterval(again);
  expect(child.signalCode).toBe('SIGINT');
  expect(stderr).not.toContain('Stopped');
}, 60_000);
