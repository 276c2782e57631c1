import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { listAlerts } from '../src/contracts/alerts.ts';
import { listDatasets } from '../src/contracts/datasets.ts';
import { cancelRun, explainStep, listRuns } from '../src/contracts/pipelines.ts';
import { startTimeOf } from '../src/platform/processes.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';
import { openPipelineProject, type ProjectFiles, stateOf, states } from './support/pipeline-project.ts';

async function open(yaml: string, files: ProjectFiles = {}) {
  const server = await startControlPlane();
  const project = await openPipelineProject(server.client, {
    'tidemill.yaml': `project: shop\n${yaml}`,
    ...files,
  });
  await project.apply();
  return { server, project };
}

const chain = `pipelines:
  p:
    params: { greeting: hello, times: 2 }
    steps:
      first:  { run: 'sh steps/first.sh "\${params.greeting}" > "\${outputs.text}"', outputs: [text], params: [greeting], code: [steps/first.sh] }
      second: { run: 'sh steps/second.sh', inputs: { text: first.text }, outputs: { all: dir, sums: json }, params: [times], code: [steps/second.sh] }
      third:  { run: 'cat "$TIDEMILL_INPUT_ALL"/deep/copy "$TIDEMILL_INPUT_ALL"/empty > "$TIDEMILL_OUTPUT_END"', inputs: { all: second.all }, outputs: [end], params: [], code: [none] }
`;
const chainFiles = {
  'steps/first.sh': 'echo "$1 world"\n',
  'steps/second.sh':
    'mkdir -p "$TIDEMILL_OUTPUT_ALL/deep" && cp "$TIDEMILL_INPUT_TEXT" "$TIDEMILL_OUTPUT_ALL/deep/copy" && : > "$TIDEMILL_OUTPUT_ALL/empty" && echo "$TIDEMILL_PARAMS" > "$TIDEMILL_OUTPUT_SUMS"\n',
  none: '',
};

describe('a run', () => {
  test('passes files, folders and parameters from step to step', async () => {
    const { project } = await open(chain, chainFiles);
    const run = await project.run({ params: { greeting: `it's "$HOME" ;` } });
    expect(run).toMatchObject({ state: 'succeeded', trigger: 'user:local' });
    expect(states(run)).toEqual({ first: 'succeeded', second: 'succeeded', third: 'succeeded' });
    expect(await project.output(run, 'third', 'end')).toBe(`it's "$HOME" ; world\n`);
    expect(JSON.parse(await project.output(run, 'second', 'sums'))).toEqual({ times: 2 });
    expect(run.steps[1]?.outputs).toMatchObject({ all: { kind: 'dir' }, sums: { kind: 'json' } });
  });

  test('that finds nothing changed runs nothing; one file, one parameter, one input re-run what depends on them', async () => {
    const { project } = await open(chain, chainFiles);
    const first = await project.run();
    expect(first.steps.map(({ why }) => why)).toEqual(Array(3).fill('it has not run before'));
    const second = await project.run();
    expect(states(second)).toEqual({ first: 'cached', second: 'cached', third: 'cached' });
    expect(second.steps.map(({ jobId }) => jobId)).toEqual([undefined, undefined, undefined]);
    expect(second.steps.map(({ outputs }) => outputs)).toEqual(first.steps.map(({ outputs }) => outputs));

    await project.write({ 'steps/second.sh': `${chainFiles['steps/second.sh']}echo more\n` });
    await project.apply();
    const third = await project.run();
    // what `second` makes is the same bytes as before, so `third` need not run
    expect(states(third)).toEqual({ first: 'cached', second: 'succeeded', third: 'cached' });
    const explained = await project.client.call(explainStep, { params: { runId: third.id, step: 'second' } });
    expect(explained).toMatchObject({ why: 'changed: code.steps/second.sh', state: 'succeeded' });
    expect(explained.differs.map(({ part }) => part)).toEqual(['code.steps/second.sh']);

    const fourth = await project.run({ params: { times: 3 } });
    expect(states(fourth)).toEqual({ first: 'cached', second: 'succeeded', third: 'cached' });
    expect(fourth.steps[1]?.why).toBe('changed: params.times');

    const fifth = await project.run({ params: { greeting: 'good day' } });
    expect(states(fifth)).toEqual({ first: 'succeeded', second: 'succeeded', third: 'succeeded' });
    expect(fifth.steps[1]?.why).toBe('changed: inputs.text, params.times');

    const sixth = await project.run({ cache: false });
    expect(states(sixth)).toEqual({ first: 'succeeded', second: 'succeeded', third: 'succeeded' });
    expect(sixth.steps[0]?.why).toBe('the run was started without the cache');
  });

  test('runs side by side what does not depend on each other', async () => {
    const meeting = await temporaryFolder();
    // each waits for the file that only the other makes; one after another they would wait for ever
    const { project } = await open(
      `pipelines:
  p:
    steps:
      left:  { run: 'touch "$MEET/left";  until [ -e "$MEET/right" ]; do sleep 0.02; done', env: { MEET: '${meeting}' } }
      right: { run: 'touch "$MEET/right"; until [ -e "$MEET/left" ];  do sleep 0.02; done', env: { MEET: '${meeting}' } }
      after: { run: 'true', needs: [left, right] }
`,
    );
    const run = await project.run();
    expect(states(run)).toEqual({ left: 'succeeded', right: 'succeeded', after: 'succeeded' });
  });

  test('goes on beside a failed step, skips what needs it, and always runs what must', async () => {
    const { project } = await open(`pipelines:
  p:
    steps:
      bad:     { run: 'echo one; echo two >&2; exit 3', outputs: [x] }
      after:   { run: 'true', needs: [bad] }
      later:   { run: 'true', inputs: { x: bad.x } }
      latest:  { run: 'true', needs: [later] }
      beside:  { run: 'echo fine > "$TIDEMILL_OUTPUT_Y"', outputs: [y] }
      cleanup: { run: 'echo tidy > "$TIDEMILL_OUTPUT_Z"', outputs: [z], always: true }
`);
    const run = await project.run();
    expect(run).toMatchObject({ state: 'failed', error: { code: 'RUN_STEPS_FAILED', message: 'failed in bad' } });
    expect(states(run)).toEqual({
      bad: 'failed',
      after: 'skipped',
      later: 'skipped',
      latest: 'skipped',
      beside: 'succeeded',
      cleanup: 'succeeded',
    });
    expect(run.steps[0]?.error).toEqual({
      code: 'STEP_FAILED',
      message: "the step's command ended with exit code 3; its last lines: one | two",
    });
    expect(run.steps[1]?.error).toEqual({
      code: 'STEP_DEPENDENCY_FAILED',
      message: 'not run, because of what it needs: bad',
    });
    expect(await project.log(run.id, 'bad')).toBe('one\ntwo\n');
    // a failed result is not kept
    expect(states(await project.run())).toMatchObject({ bad: 'failed', beside: 'cached' });
  });

  test('says that an output declared a dataset is no Parquet, and leaves no version', async () => {
    const { project } = await open(`pipelines:
  p:
    steps:
      csv:  { run: 'echo a,b > "$TIDEMILL_OUTPUT_ROWS"', outputs: { rows: dataset } }
      none: { run: ': > "$TIDEMILL_OUTPUT_ROWS"', outputs: { rows: dataset } }
      cut:  { run: 'printf PAR1and.more > "$TIDEMILL_OUTPUT_ROWS"', outputs: { rows: dataset } }
`);
    const run = await project.run();
    expect(states(run)).toEqual({ csv: 'failed', none: 'failed', cut: 'failed' });
    const expected = 'output "rows" is declared a dataset, which is one Parquet file, but the step made ';
    expect(run.steps.map(({ error }) => error)).toEqual(
      [
        'a file of 4 bytes that begins with "a,b."',
        'an empty file',
        'a Parquet file that is cut off after 12 bytes',
      ].map((found) => ({ code: 'STEP_OUTPUT_NOT_PARQUET', message: `${expected}${found}` })),
    );
    expect((await project.client.call(listDatasets, {})).items).toEqual([]);
  });

  test('alerts when a dataset that a step made turns out unreadable', async () => {
    const { project } = await open(`pipelines:
  p:
    steps:
      a: { run: 'printf "PAR1 no footer here \\004\\000\\000\\000PAR1" > "$TIDEMILL_OUTPUT_ROWS"', outputs: { rows: dataset } }
`);
    await project.run();
    const alerts = async () => (await project.client.call(listAlerts, {})).items;
    await expect.poll(alerts, { timeout: 30_000 }).toMatchObject([
      {
        kind: 'quality',
        severity: 'critical',
        title: 'p.a.rows: version 1 cannot be read',
        subject: 'dataset:p.a.rows@1',
      },
    ]);
  });

  test('says which output a step did not make, or made wrong', async () => {
    const { project } = await open(`pipelines:
  p:
    steps:
      none:   { run: 'true', outputs: [x] }
      folder: { run: 'mkdir "$TIDEMILL_OUTPUT_X"', outputs: [x] }
      file:   { run: 'echo > "$TIDEMILL_OUTPUT_X"', outputs: { x: dir } }
      link:   { run: 'mkdir "$TIDEMILL_OUTPUT_X" && ln -s /etc/passwd "$TIDEMILL_OUTPUT_X/p"', outputs: { x: dir } }
      whole:  { run: 'ln -s /etc/passwd "$TIDEMILL_OUTPUT_X"', outputs: [x] }
      rows:   { run: 'ln -s /etc/passwd "$TIDEMILL_OUTPUT_X"', outputs: { x: dataset } }
      away:   { run: 'ln -s /etc "$TIDEMILL_OUTPUT_X"', outputs: { x: dir } }
      absent: { run: [no-such-program] }
`);
    const run = await project.run();
    expect(Object.fromEntries(run.steps.map(({ step, error }) => [step, error?.message]))).toEqual({
      none: 'the step ended well but left no output "x": it must write to the path in $TIDEMILL_OUTPUT_X',
      folder: 'output "x" should be a file but the step made a folder',
      file: 'output "x" should be a folder but the step made a file',
      link: 'output "x" holds "p", which is a link or a device: only files and folders can be kept',
      whole: 'output "x" should be a file but the step made a link or device',
      rows: 'output "x" should be a file but the step made a link or device',
      away: 'output "x" should be a folder but the step made a link or device',
      absent: expect.stringMatching(/exit code 127; its last lines: .*no-such-program.*not found/),
    });
  });

  test('that lacks a dataset, an artifact, a pipeline or a parameter does not start', async () => {
    const { project } = await open(`datasets:
  rows: { source: data/*.csv }
pipelines:
  p: { params: { months: 3 }, steps: { a: { run: 'true', inputs: { rows: 'dataset:rows' } } } }
`);
    await expect(project.start()).rejects.toMatchObject({
      code: 'PIPELINE_INPUT_MISSING',
      message: expect.stringContaining('dataset:rows has no version yet: land its data first'),
    });
    await expect(project.start({ params: { month: 4 } })).rejects.toMatchObject({
      code: 'PIPELINE_PARAM_UNKNOWN',
      message: expect.stringContaining('did you mean "months"?'),
    });
    await project.write({
      'tidemill.yaml': `project: shop\npipelines:\n  p: { steps: { a: { run: 'true', inputs: { x: 'artifact:${'a'.repeat(64)}' } } } }\n`,
    });
    await project.apply();
    await expect(project.start()).rejects.toMatchObject({ code: 'ARTIFACT_NOT_FOUND' });
    const { items } = await project.client.call(listRuns, { query: {} });
    expect(items).toEqual([]);
  });

  test('of a Python step has the packages of its requirements file', async () => {
    const { project } = await open(
      `pipelines:
  p:
    python: requirements.txt
    steps:
      a: { run: python steps/a.py, outputs: { x: json } }
`,
      {
        'requirements.txt': 'six==1.17.0\n',
        'steps/a.py':
          'import json, os, sys, six\njson.dump({"six": six.__version__, "prefix": sys.prefix == os.environ["VIRTUAL_ENV"]}, open(os.environ["TIDEMILL_OUTPUT_X"], "w"))\n',
      },
    );
    const run = await project.run();
    expect(run.steps[0]?.error).toBeUndefined();
    expect(JSON.parse(await project.output(run, 'a', 'x'))).toEqual({ six: '1.17.0', prefix: true });
    await project.write({ 'requirements.txt': 'no-such-package-of-tidemill==9.9\n' });
    await project.apply();
    const bad = await project.run();
    expect(bad.steps[0]?.why).toBe('changed: python');
    expect(bad.steps[0]?.error?.message).toMatch(/no-such-package-of-tidemill/);
  }, 240_000);

  test('that is cancelled ends its processes and starts nothing more', async () => {
    const { server, project } = await open(`pipelines:
  p:
    steps:
      long:  { run: 'sleep 600 & echo $! ; wait', outputs: [x] }
      after: { run: 'true', needs: [long] }
`);
    const { id } = await project.start();
    await project.stepUntil(id, 'long', ({ state }) => state === 'running');
    let pid = 0;
    while (!(pid > 0)) pid = Number(await project.log(id, 'long'));
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    await project.client.request(`/api/v1/runs/${id}/cancel`, { method: 'POST' });
    const run = await project.finished(id);
    expect(run.state).toBe('cancelled');
    expect(states(run)).toEqual({ long: 'cancelled', after: 'cancelled' });
    expect(startTimeOf(pid)).toBeUndefined();
    // nothing of the attempt stays but its log
    await expect.poll(() => readdirSync(join(server.home, 'attempts'))).toEqual(['logs']);
    await project.client.request(`/api/v1/runs/${id}/cancel`, { method: 'POST' }); // no effect on an ended run
    expect((await project.finished(id)).state).toBe('cancelled');
  });

  test('that is cancelled still runs the steps that always run, and ends after them', async () => {
    const folder = await temporaryFolder();
    const { project } = await open(`pipelines:
  p:
    steps:
      long:  { run: 'echo up; sleep 600', outputs: [x] }
      after: { run: 'true', needs: [long] }
      tidy:  { run: 'echo tidy; until [ -e "$F/go" ]; do sleep 0.02; done', always: true, env: { F: '${folder}' } }
`);
    const { id } = await project.start();
    await project.stepUntil(id, 'long', ({ state }) => state === 'running');
    const cancelled = await project.client.call(cancelRun, { params: { runId: id } });
    expect(cancelled).toMatchObject({ state: 'running', cancelling: true });
    await project.stepUntil(id, 'tidy', ({ state }) => state === 'running');
    // again, while it waits for its last step: no effect
    expect((await project.client.call(cancelRun, { params: { runId: id } })).cancelling).toBe(true);
    await writeFile(join(folder, 'go'), '');
    const run = await project.finished(id);
    expect(run).toMatchObject({ state: 'cancelled' });
    expect(run.cancelling).toBeUndefined();
    expect(states(run)).toEqual({ long: 'cancelled', after: 'cancelled', tidy: 'succeeded' });
    expect(await project.log(id, 'tidy')).toBe('tidy\n');
  });

  test('whose result cannot be recorded fails with the reason, and does not wait for ever', async () => {
    const { server, project } = await open(
      `pipelines:
  p:
    steps:
      make:  { run: 'cp some.parquet "$TIDEMILL_OUTPUT_ROWS"', outputs: { rows: dataset }, code: [some.parquet] }
      after: { run: 'true', inputs: { rows: make.rows } }
      tidy:  { run: 'true', always: true }
`,
      { 'some.parquet': await readFile('examples/flights/data/source/weather.parquet') },
    );
    // a table that refuses what `datasets` writes, as a full or damaged one would
    await server.platform.database.write({ actor: 'user:local' }, (unit) =>
      sql`create trigger refuse before insert on dataset_versions begin select raise(abort, 'no room here'); end`.execute(
        unit.query(),
      ),
    );
    const run = await project.run();
    expect(run.state).toBe('failed');
    expect(states(run)).toEqual({ make: 'failed', after: 'skipped', tidy: 'succeeded' });
    expect(run.steps[0]?.error).toMatchObject({
      code: 'STEP_NOT_RECORDED',
      message: expect.stringContaining('step "make" did its work, but its result could not be recorded') as string,
    });
    expect(await server.platform.consumers.listParked()).toEqual([]);
    await server.platform.database.write({ actor: 'user:local' }, (unit) =>
      sql`drop trigger refuse`.execute(unit.query()),
    );
    expect((await project.run()).state).toBe('succeeded');
  });

  test('shares the machine with another of the same pipeline, each with its own result', async () => {
    const { project } = await open(`pipelines:
  p:
    params: { n: 0 }
    steps:
      a: { run: 'echo "\${params.n}" > "\${outputs.x}"', outputs: [x] }
      b: { run: 'cat "\${inputs.x}" "\${inputs.x}" > "\${outputs.y}"', inputs: { x: a.x }, outputs: [y] }
`);
    const runs = await Promise.all([1, 2, 2, 3].map((n) => project.run({ params: { n } })));
    expect(runs.map(({ state }) => state)).toEqual(Array(4).fill('succeeded'));
    expect(await Promise.all(runs.map((run) => project.output(run, 'b', 'y')))).toEqual([
      '1\n1\n',
      '2\n2\n',
      '2\n2\n',
      '3\n3\n',
    ]);
    expect(runs.map((run) => stateOf(run, 'b'))).not.toContain('failed');
  });
});
