import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { DeploymentSpecDocument } from '#contracts/deployments';
import { systemClock } from '#platform/clock';
import { openDatabase } from '#platform/database';
import { systemIds } from '#platform/ids';
import { builtModule } from '#platform/testing/built-program';
import { newSqlitePath, openTestDatabase } from '#platform/testing/database';
import { buildTimeoutMs, columnsBody, columnsSignature, fixture, post } from '../../src/serving/testing/test-plane.ts';
import { createFakeReplica } from './fake-replica.ts';
import { type Control, project, startControl } from './harness.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The data plane as its own process, as it is shipped. */
async function startDataPlane(controlUrl: string, home: string) {
  const program = fileURLToPath(await builtModule('serving/main.js'));
  const child = spawn(
    process.execPath,
    [
      program,
      '--control-url',
      controlUrl,
      '--home',
      home,
      '--port',
      '0',
      '--report-every-ms',
      '100',
      '--deliver-every-ms',
      '50',
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, exited, url: (JSON.parse(line) as { url: string }).url };
}

const bytes = (name: string) => readFileSync(fixture(name));

async function settled(control: Control, isIt: (state: string, versions: readonly number[]) => boolean) {
  for (;;) {
    const { body } = await control.call('GET', '/api/v1/deployments/m?wait=30');
    const { state, traffic, settled: done } = body.status;
    if (
      done &&
      isIt(
        state,
        traffic.map(({ version }: { readonly version: number }) => version),
      )
    )
      return body.status;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test(
  'a canary on the real data plane, killed on the way: every answer is counted, logged once, and split as declared',
  async () => {
    const database = await openDatabase({
      url: newSqlitePath(),
      clock: systemClock,
      ids: systemIds,
      durability: 'off',
    });
    const control = await startControl({ database, clock: systemClock, ids: systemIds, worker: true });
    onTestFinished(async () => {
      await control.stop();
      await database.close();
    });
    const controlUrl = await control.app.listen({ host: '127.0.0.1', port: 0 });
    const document: DeploymentSpecDocument = {
      model: 'model:m@champion',
      shadows: ['model:m@1'],
      rollout: { steps: [50, 100], each: { requests: 40 }, abort_when: 'error_rate > 0.01' },
    };
    await control.apply('m', document);
    const home = mkdtempSync(join(tmpdir(), 'tidemill-serving-'));
    let plane = await startDataPlane(controlUrl, home);
    await control.promote('m', bytes('columns-1.onnx'), { signature: columnsSignature, score: 'score' });
    await settled(control, (state, versions) => state === 'ready' && versions.length === 1);

    const answers = new Map<string, number>();
    let asked = 0;
    const ask = async (count: number) => {
      for (let turn = 0; turn < count; turn += 1) {
        asked += 1;
        const answer = await post(`${plane.url}/v2/models/m/infer`, columnsBody(asked), {
          'x-tidemill-key': `k${asked}`,
        });
        expect(answer.status).toBe(200);
        const revision = answer.headers.get('x-tidemill-revision') ?? '';
        answers.set(revision, (answers.get(revision) ?? 0) + 1);
      }
    };
    await ask(20);
    expect(answers.size).toBe(1);

    await control.promote('m', bytes('columns-2.onnx'), { signature: columnsSignature, score: 'score' });
    await settled(control, (state, versions) => state === 'rolling-out' && versions.length === 2);
    await ask(30);
    plane.child.kill('SIGKILL');
    await plane.exited;
    plane = await startDataPlane(controlUrl, home);
    // What the control plane knows may still be the report of the one that was killed.
    while (!(await fetch(`${plane.url}/v2/models/m/ready`)).ok) await new Promise((resolve) => setTimeout(resolve, 20));
    await settled(control, (state) => state === 'rolling-out');
    await control.call('POST', '/api/v1/deployments/m/flush', {});
    expect((await control.latestRollout('m'))?.state).toBe('stepping'); // about 15 answers are not 40
    await ask(100);
    const { body: ended } = await control.call(
      'GET',
      `/api/v1/rollouts/${(await control.latestRollout('m'))?.id}?wait=30`,
    );
    expect(ended).toMatchObject({ state: 'completed', version: 2 });
    await settled(control, (_state, versions) => versions.length === 1 && versions[0] === 2);
    await ask(50);

    const flushed = await control.call('POST', '/api/v1/deployments/m/flush', {});
    expect(flushed.body).toMatchObject({ done: true });
    const { body: revisions } = await control.call('GET', '/api/v1/deployments/m/revisions');
    const [second, first] = revisions.items;
    // What the killed process had not reported yet is in the log all the same.
    expect(second.requests).toBeGreaterThanOrEqual((answers.get(second.id) ?? 0) - 30);
    expect((answers.get(first.id) ?? 0) + (answers.get(second.id) ?? 0)).toBe(200);
    expect(second.errors + first.errors).toBe(0);
    const counts = await control.predictions.counts(database.read, {
      project,
      endpoint: 'm',
      fromMs: 0,
      toMs: Math.ceil(Date.now() / 3_600_000) * 3_600_000,
    });
    const logged = (revision: string, role: string) =>
      counts.find((one) => one.revision === revision && one.role === role)?.rows ?? 0;
    expect(logged(first.id, 'primary')).toBe(answers.get(first.id));
    expect(logged(second.id, 'primary')).toBe(answers.get(second.id));
    expect(logged(first.id, 'shadow')).toBeGreaterThanOrEqual(169); // a kill may lose shadows that nobody waited for
  },
  buildTimeoutMs,
);

test(
  'a control plane killed between the writes of an abort has done none of them, and does them all with the next report',
  async () => {
    const database = await openTestDatabase();
    const control = await startControl({ database, clock: database.clock, ids: database.ids });
    await control.apply('m', {
      model: 'model:m@champion',
      rollout: { steps: [50, 100], each: { requests: 1000 }, abort_when: 'error_rate > 0.01' },
    });
    const replica = createFakeReplica('a');
    for (const content of ['one', 'two']) {
      await control.promote('m', content);
      await control.report(replica.report(await control.spec()));
    }
    const spec = await control.spec();
    expect(spec.endpoints[0]?.traffic).toHaveLength(2);
    const bad = spec.endpoints[0]?.traffic[1]?.revision ?? '';
    replica.did(bad, { answers: 10, failures: 60 });
    const report = replica.report(spec);
    await control.stop();
    await database.close();

    await builtModule('modules/rollouts/index.js');
    const child: ChildProcess = spawn(
      process.execPath,
      [fileURLToPath(new URL('killed-in-abort.mjs', import.meta.url)), database.url, JSON.stringify(report)],
      { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
    );
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect([code, signal]).toEqual([null, 'SIGKILL']);

    const again = await database.reopen();
    const after = await startControl({ database: again, clock: again.clock, ids: again.ids, folder: control.folder });
    onTestFinished(() => after.stop());
    const champion = async () => (await after.registry.alias(again.read, project, 'm', 'champion'))?.version;
    expect(await after.spec()).toEqual(spec);
    expect([(await after.latestRollout('m'))?.state, await champion()]).toEqual(['stepping', 2]);
    await after.report(report);
    expect((await after.spec()).endpoints[0]?.traffic).toHaveLength(1);
    expect([(await after.latestRollout('m'))?.state, await champion()]).toEqual(['aborted', 1]);
    expect(await after.alerts.findOpen(again.read, project, 'rollout:m')).toMatchObject({ kind: 'rollout' });
  },
  buildTimeoutMs,
);
