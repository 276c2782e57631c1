import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { getJob, getJobLog, listJobs } from '../src/contracts/jobs.ts';
import { getRun } from '../src/contracts/pipelines.ts';
import { startTimeOf } from '../src/platform/processes.ts';
import { newPostgresUrl } from '../src/platform/testing/database.ts';
import { createClient, isTidemillError } from '../src/sdk/index.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';
import { openPipelineProject, type PipelineProject } from './support/pipeline-project.ts';

async function open(steps: string, files: Readonly<Record<string, string>> = {}) {
  const server = await startControlPlane();
  const project = await openPipelineProject(server.client, {
    'tidemill.yaml': `project: shop\npipelines:\n  p:\n    steps:\n${steps}`,
    ...files,
  });
  await project.apply();
  return { server, project };
}

/** Waits until a step has printed a line, and answers it. */
async function printed(project: PipelineProject, runId: string, step: string, pattern: RegExp): Promise<string> {
  await project.stepUntil(runId, step, ({ state }) => state !== 'pending');
  for (;;) {
    const found = pattern.exec(await project.log(runId, step));
    if (found !== null) return found[1] ?? found[0];
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a step', () => {
  test('may write into its inputs, which are its own', async () => {
    const { project } = await open(
      `      a: { run: 'echo first > "$TIDEMILL_OUTPUT_X"', outputs: [x] }
      b: { run: 'echo more >> "$TIDEMILL_INPUT_X"; cp "$TIDEMILL_INPUT_X" "$TIDEMILL_OUTPUT_Y"', inputs: { x: a.x }, outputs: [y] }\n`,
    );
    const run = await project.run();
    expect(await project.output(run, 'b', 'y')).toBe('first\nmore\n');
    expect(await project.output(run, 'a', 'x')).toBe('first\n');
  });

  test('may leave files of any name in its home', async () => {
    const { project } = await open(
      `      a: { run: 'echo mine > "$HOME/collected"; echo x > "$TIDEMILL_OUTPUT_X"', outputs: [x] }\n`,
    );
    const run = await project.run();
    expect(await project.output(run, 'a', 'x')).toBe('x\n');
  });

  test('sees nothing of the server, only what a step is given', async () => {
    process.env['TIDEMILL_TEST_SECRET'] = 'do not tell';
    const { server, project } = await open(
      `      a: { run: 'env > "$TIDEMILL_OUTPUT_X"; pwd; ls -a', env: { MINE: 'yes', DO_NOT_TRACK: 'mine' }, outputs: [x], code: [steps/a.sh] }
`,
      { 'steps/a.sh': 'true\n', 'steps/b.sh': 'true\n' },
    );
    const run = await project.run();
    delete process.env['TIDEMILL_TEST_SECRET'];
    const text = await project.output(run, 'a', 'x');
    const names = text.split('\n').flatMap((line) => (/^([A-Z_]+)=/.exec(line)?.[1] ? [line.split('=')[0] ?? ''] : []));
    expect(text).not.toContain('do not tell');
    expect(text).toContain('ORT_DISABLE_TELEMETRY=1\n');
    expect(text).toContain('DO_NOT_TRACK=mine\n');
    expect(names.toSorted()).toEqual(
      [
        'DO_NOT_TRACK HOME LANG MINE MLFLOW_DISABLE_TELEMETRY MLFLOW_EXPERIMENT_ID MLFLOW_RUN_ID',
        'MLFLOW_TRACKING_TOKEN MLFLOW_TRACKING_URI ORT_DISABLE_TELEMETRY PATH PWD PYTHONUNBUFFERED TIDEMILL_ATTEMPT TIDEMILL_OUTPUT_X TIDEMILL_PARAMS TIDEMILL_PROJECT TIDEMILL_RUN',
        'TIDEMILL_STEP TIDEMILL_TOKEN TIDEMILL_URL TMPDIR TZ',
      ]
        .flatMap((line) => line.split(' '))
        .concat(
          names.includes('SHLVL') ? ['SHLVL'] : [],
          names.includes('OLDPWD') ? ['OLDPWD'] : [],
          names.includes('_') ? ['_'] : [],
        )
        .toSorted(),
    );
    const log = await project.log(run.id, 'a');
    expect(log).toContain(join(server.home, 'attempts'));
    expect(log.split('\n').slice(1)).toEqual(['.', '..', 'steps', '']);
  });

  test('has a token of its own that works while it runs, in its own project only', async () => {
    const { server, project } = await open(
      `      a: { run: 'echo "token=$TIDEMILL_TOKEN"; until [ -e "$GO" ]; do sleep 0.05; done', env: { GO: GOFILE } }
`.replace('GOFILE', `'${join(await temporaryFolder(), 'go')}'`),
    );
    const { id } = await project.start();
    const token = await printed(project, id, 'a', /token=(\S+)\n/);
    const own = createClient({ url: server.url, token, project: 'shop', retries: 0 });
    expect((await own.call(getRun, { params: { runId: id }, query: {} })).id).toBe(id);
    await expect(own.inProject('default').call(listJobs, { query: {} })).rejects.toMatchObject({ kind: 'forbidden' });
    await project.client.request(`/api/v1/runs/${id}/cancel`, { method: 'POST' });
    await project.finished(id);
    const refused = await own.call(getRun, { params: { runId: id }, query: {} }).catch((error: unknown) => error);
    expect(isTidemillError(refused) && refused.kind).toBe('unauthenticated');
  });

  test('that never ends is ended after its timeout, with everything that it started', async () => {
    const { project } =
      await open(`      a: { run: 'setsid sleep 601 & echo "far=$!"; sleep 602 & echo "near=$!"; sleep 603', timeout: 2s }
`);
    const run = await project.run();
    expect(run.steps[0]).toMatchObject({
      state: 'failed',
      error: { code: 'STEP_TIMED_OUT', message: 'the step was ended after its timeout of 2 s' },
    });
    const log = await project.log(run.id, 'a');
    for (const name of ['far', 'near'])
      expect(startTimeOf(Number(new RegExp(`${name}=(\\d+)`).exec(log)?.[1]))).toBeUndefined();
  });

  test('leaves no process behind when it ends well', async () => {
    const { project } = await open(`      a: { run: 'sleep 600 & echo "pid=$!"' }
`);
    const run = await project.run();
    expect(run.state).toBe('succeeded');
    const pid = Number(/pid=(\d+)/.exec(await project.log(run.id, 'a'))?.[1]);
    await expect.poll(() => startTimeOf(pid)).toBeUndefined();
  });

  test('is tried again after a while, as often as it says; its log tells the attempts apart', async () => {
    const counter = join(await temporaryFolder(), 'count');
    const { project } =
      await open(`      a: { run: 'echo x >> "$C"; wc -l < "$C"; test $(wc -l < "$C") -ge 3', env: { C: '${counter}' }, retries: { max: 3, backoff: 1s } }
      b: { run: 'kill -9 $$', retries: { max: 1, on: [lost] } }
`);
    const run = await project.run();
    expect(run.steps[0]?.state).toBe('succeeded');
    expect(await project.log(run.id, 'a')).toBe('1\n--- attempt 2\n2\n--- attempt 3\n3\n');
    const [a] = run.steps;
    expect(Date.parse(a?.endedAt ?? '') - Date.parse(a?.startedAt ?? '')).toBeGreaterThanOrEqual(3000); // 1 s, then 2 s
    const job = await project.client.call(getJob, { params: { jobId: a?.jobId ?? '' } });
    expect(job).toMatchObject({ state: 'succeeded', attempt: 3, owner: `pipeline-step:${run.id}/a` });
    // an error is not what b is tried again after
    expect(run.steps[1]).toMatchObject({
      state: 'failed',
      error: { code: 'STEP_KILLED', message: "the step's command was ended by signal SIGKILL" },
    });
  });

  test('can be watched while it runs, no character split, no byte lost', async () => {
    const { project } =
      await open(`      a: { run: 'for i in 1 2 3 4 5; do printf "\\303"; sleep 0.05; printf "\\244 %s\\n" $i; done; seq 1 60000' }
`);
    const { id } = await project.start();
    const { jobId = '' } = await project.stepUntil(id, 'a', (step) => step.jobId !== undefined);
    let text = '';
    for (let offset = 0, ended = false; !ended; ) {
      const piece = await project.client.call(getJobLog, { params: { jobId }, query: { offset } });
      expect(piece.text).not.toContain('\uFFFD');
      text += piece.text;
      ({ next: offset, ended } = piece);
    }
    const numbers = Array.from({ length: 60_000 }, (_, index) => `${index + 1}\n`).join('');
    expect(text).toBe(`ä 1\nä 2\nä 3\nä 4\nä 5\n${numbers}`);
  });

  test('that waits for room starts by age, and is cancelled at once', async () => {
    const go = join(await temporaryFolder(), 'go');
    const { project } =
      await open(`      large: { run: 'until [ -e "$GO" ]; do sleep 0.05; done', env: { GO: '${go}' }, resources: { cpu: 1000 } }
      small: { run: 'true' }
`);
    const { id } = await project.start();
    const small = await project.stepUntil(id, 'small', ({ jobId }) => jobId !== undefined);
    await largeRuns(project, id);
    const job = await project.client.call(getJob, { params: { jobId: small.jobId ?? '' } });
    expect(job.state).toBe('queued');
    await project.client.request(`/api/v1/jobs/${job.id}/cancel`, { method: 'POST' });
    expect((await project.client.call(getJob, { params: { jobId: job.id } })).state).toBe('cancelled');
    await project.stepUntil(id, 'small', ({ state }) => state === 'cancelled');
    await project.client.request(`/api/v1/runs/${id}/cancel`, { method: 'POST' });
    expect((await project.finished(id)).state).toBe('cancelled');
  });
});

/** The large step has been started by now. */
async function largeRuns(project: PipelineProject, runId: string): Promise<void> {
  for (;;) {
    const { jobId = '' } = await project.step(runId, 'large');
    const job = await project.client.call(getJob, { params: { jobId } });
    if (job.state === 'running') return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('on PostgreSQL', () => {
  test('steps run, are tried again, cached and cancelled as on SQLite', async () => {
    const server = await startControlPlane({ databaseUrl: await newPostgresUrl() });
    const project = await openPipelineProject(server.client, {
      'tidemill.yaml': `project: shop
pipelines:
  p:
    params: { n: 0 }
    steps:
      a: { run: 'echo "\${params.n}" > "\${outputs.x}"', outputs: [x] }
      b: { run: 'cp "$TIDEMILL_INPUT_X" "$TIDEMILL_OUTPUT_Y"', inputs: { x: a.x }, outputs: [y] }
      c: { run: 'cat "$TIDEMILL_INPUT_X"; test ! -e "$GONE" || exec sleep 600; touch "$GONE"; exit 7', inputs: { x: a.x }, env: { GONE: '${await temporaryFolder()}/gone' }, retries: { max: 1, backoff: 1s } }
`,
    });
    await project.apply();
    const { id } = await project.start();
    const c = await project.stepUntil(id, 'c', (step) => step.jobId !== undefined);
    await expect
      .poll(async () => project.client.call(getJob, { params: { jobId: c.jobId ?? '' } }), { timeout: 20_000 })
      .toMatchObject({ state: 'running', attempt: 2 });
    await project.client.request(`/api/v1/runs/${id}/cancel`, { method: 'POST' });
    const run = await project.finished(id);
    expect(run.steps.map(({ state }) => state)).toEqual(['succeeded', 'succeeded', 'cancelled']);
    const again = await project.start();
    await project.stepUntil(again.id, 'b', ({ state }) => state === 'cached');
    await project.client.request(`/api/v1/runs/${again.id}/cancel`, { method: 'POST' });
    expect((await project.finished(again.id)).state).toBe('cancelled');
  }, 120_000);
});

describe('a server that stops and starts again', () => {
  test('takes over what still runs, and records what has ended meanwhile', async () => {
    const folder = await temporaryFolder();
    const first = await startControlPlane();
    const project = await openPipelineProject(first.client, {
      'tidemill.yaml': `project: shop
pipelines:
  p:
    steps:
      long:  { run: 'echo long >> "$F/ran"; echo begun; until [ -e "$F/go" ]; do sleep 0.05; done; echo done > "$TIDEMILL_OUTPUT_X"', outputs: [x], env: { F: '${folder}' } }
      short: { run: 'echo short >> "$F/ran"; echo begun; until [ -e "$F/down" ]; do sleep 0.05; done; echo done > "$TIDEMILL_OUTPUT_X"; echo ended', outputs: [x], env: { F: '${folder}' } }
      after: { run: 'echo after >> "$F/ran"; cat "$TIDEMILL_INPUT_A" "$TIDEMILL_INPUT_B"', inputs: { a: long.x, b: short.x }, env: { F: '${folder}' } }
`,
    });
    await project.apply();
    const { id } = await project.start();
    for (const step of ['long', 'short']) await printed(project, id, step, /begun/);
    await first.control.stop();
    await writeFile(join(folder, 'down'), '');
    await expect.poll(() => readLogs(first.home)).toContain('ended');

    const second = await startControlPlane({ home: first.home });
    const client = second.client.inProject('shop');
    await expect
      .poll(async () => (await client.call(getRun, { params: { runId: id }, query: {} })).steps[1]?.state)
      .toBe('succeeded');
    await writeFile(join(folder, 'go'), '');
    const run = await client.call(getRun, { params: { runId: id }, query: { wait: 20 } });
    expect(run.state).toBe('succeeded');
    expect(readFileSync(join(folder, 'ran'), 'utf8').split('\n').toSorted()).toEqual(['', 'after', 'long', 'short']);
    for (const { jobId = '' } of run.steps)
      expect(await client.call(getJob, { params: { jobId } })).toMatchObject({ state: 'succeeded', attempt: 1 });
  });
});

function readLogs(home: string): string {
  const folder = join(home, 'attempts', 'logs');
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('');
}
