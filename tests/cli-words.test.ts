import { join } from 'node:path';
import { expect, test } from 'vitest';
import { up } from '../src/app/up.ts';
import { runLine } from '../src/cli/testing/run-line.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';

/** The command line against a control plane of its own. */
async function startWithWords(options: Parameters<typeof startControlPlane>[0] = {}) {
  const { url, client } = await startControlPlane(options);
  const tidemill = (line: string) => runLine(line, { environment: { TIDEMILL_URL: url } });
  return { url, client, tidemill };
}

test('an experiment that is not found by its id is told what became of it, and never another number', async () => {
  const { url, tidemill } = await startWithWords();
  for (const name of ['fraud', 'late']) {
    const body = JSON.stringify({ name });
    const made = await fetch(`${url}/api/2.0/mlflow/experiments/create`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(made.status).toBe(200);
  }
  expect(await tidemill('experiment delete 2')).toMatchObject({ code: 0, out: 'Done.\n' });
  expect(await tidemill('experiment delete 2')).toMatchObject({
    code: 3,
    err: 'error experiment 2 ("late") is deleted: "tidemill experiment restore 2" brings it back\n',
  });
  expect(await tidemill('experiment delete 7')).toMatchObject({ code: 3, err: expect.not.stringContaining('mean') });
  expect(await tidemill('experiment delete fraud')).toMatchObject({
    code: 3,
    err: 'error there is no experiment with the id "fraud"; the one of that name has the id 1\n',
  });
  expect(await tidemill('experiment restore late')).toMatchObject({
    code: 3,
    err: expect.stringContaining('has the id 2 and is deleted: "tidemill experiment restore 2"'),
  });
  expect(await tidemill('experiment restore 1')).toMatchObject({
    code: 3,
    err: 'error experiment 1 ("fraud") is not deleted\n',
  });
});

test('a token ends in so many days, and the types of a webhook may stand in one word', async () => {
  const { tidemill } = await startWithWords();
  const made = JSON.parse((await tidemill('token create ci --role viewer --expires-at 30d --json')).out) as {
    readonly info: { readonly expiresAt: string };
  };
  expect((Date.parse(made.info.expiresAt) - Date.now()) / 86_400_000).toBeCloseTo(30, 1);
  const webhook = 'webhook create https://192.0.2.1/hook --json --types';
  const both = await tidemill(`${webhook} alert.opened,alert.resolved`);
  const apart = await tidemill(`${webhook} alert.opened alert.resolved`);
  expect(both.err.replaceAll(/"requestId.*/g, '')).toBe(apart.err.replaceAll(/"requestId.*/g, ''));
  expect(both.err).toContain('WEBHOOK_ADDRESS_REFUSED');
});

test('a token is listed with its project and its end, and whoever makes one hears that it is shown once', async () => {
  const { tidemill } = await startWithWords();
  const made = await tidemill('token create ci --role viewer --expires-at 2099-01-31T12:00:00Z');
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^token: tmu_[^]*The token is shown this once/) });
  await tidemill('token create ops --role viewer --all-projects');
  const [titles, ...rows] = (await tidemill('token list')).out.trim().split('\n');
  expect(titles).toMatch(/\tROLE\tPROJECT\tCREATED\tENDS\tREVOKED$/);
  expect(rows[0]).toMatch(/\tops\t.*\tviewer\tall\t.*\tnever\t-$/);
  expect(rows[1]).toMatch(/\tci\t.*\tviewer\tdefault\t.*\t2099-01-31T12:00:00.000Z\t-$/);
});

test('a server that asks who one is says where MLflow keeps a token, and up says once where the first one lies', async () => {
  const { url } = await startControlPlane({ auth: 'on' });
  const refused = await fetch(`${url}/api/2.0/mlflow/experiments/get?experiment_id=0`);
  expect([refused.status, await refused.text()]).toEqual([401, expect.stringContaining('MLFLOW_TRACKING_TOKEN')]);
  const home = join(await temporaryFolder(), 'home');
  const said: string[] = [];
  for (let start = 0; start < 2; start += 1) {
    const stop = new AbortController();
    await up({
      flags: { home, port: '0', servingPort: '0', grpcPort: 'off', auth: 'on' },
      environment: { PATH: process.env['PATH'] },
      cwd: home,
      warn: () => undefined,
      note: (line) => said.push(line),
      beganMs: Date.now(),
      signal: stop.signal,
      ready: () => stop.abort(),
      stopping: () => undefined,
    });
  }
  expect(said).toEqual([expect.stringContaining(`The first admin's lies in ${join(home, 'admin-token')}`)]);
}, 120_000);

test('what a filter leaves out is not said to be nowhere, and a prompt is no model', async () => {
  const { tidemill } = await startWithWords();
  expect(await tidemill('events list --type nosuch')).toMatchObject({
    code: 0,
    err: expect.stringContaining('No event matches'),
  });
  expect(await tidemill('artifact list --owner run:x')).toMatchObject({ err: 'Nothing matches --owner.\n' });
  expect(await tidemill('artifact list')).toMatchObject({ err: 'The project holds no artifact yet.\n' });
  expect(await tidemill('prompt show x')).toMatchObject({ code: 3, err: 'error there is no prompt "x"\n' });
});
