import { readdirSync, readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { putSecret, removeSecret } from '../src/contracts/secrets.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';
import { openPipelineProject, states } from './support/pipeline-project.ts';

const value = 'hunter2 & "friends"';
const encoded = Buffer.from(value).toString('base64');

async function open(steps: string) {
  const server = await startControlPlane();
  const project = await openPipelineProject(server.client, {
    'tidemill.yaml': `project: shop\npipelines:\n  p:\n    steps:\n${steps}`,
  });
  await project.apply();
  const put = (text: string, grants = ['pipeline:p']) =>
    project.client.call(putSecret, { params: { name: 'db' }, body: { value: text, grants } });
  return { server, project, put };
}

test('a step gets a secret in its environment; no log, row, event or key shows it, and a new value runs it again', async () => {
  const { server, project, put } = await open(`
      load:
        run: 'printf %s "$DB" | wc -c > "$TIDEMILL_OUTPUT_SIZE"; echo "plain $DB and $(printf %s "$DB" | base64) end"; printf %s "$DB" >&2'
        outputs: [size]
        secrets: { DB: db }
      fail: { run: 'echo "cannot log in as $DB" >&2; exit 3', secrets: { DB: db } }
`);
  await put(value);
  const run = await project.run();
  expect(states(run)).toEqual({ load: 'succeeded', fail: 'failed' });
  expect((await project.output(run, 'load', 'size')).trim()).toBe(String(value.length));
  expect(await project.log(run.id, 'load')).toBe('plain [masked] and [masked] end\n[masked]');
  expect(run.steps.find(({ step }) => step === 'fail')?.error?.message).toContain('cannot log in as [masked]');

  // nor any file of the home folder: database, events, blobs, the server's own log; only the job's log, which the step wrote
  const files = readdirSync(server.home, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(server.home, path)).isFile() && !path.startsWith('attempts/logs/'))
    .map((path) => ({ path, bytes: readFileSync(join(server.home, path)) }));
  expect(files.map(({ path }) => path)).toContain('tidemill.db');
  for (const form of [value, encoded, JSON.stringify(value).slice(1, -1)])
    expect(files.filter(({ bytes }) => bytes.includes(form)).map(({ path }) => path)).toEqual([]);

  await put(value);
  expect(states(await project.run())).toMatchObject({ load: 'cached' });
  await put('another value');
  const third = await project.run();
  expect(states(third)).toMatchObject({ load: 'succeeded' });
  expect(third.steps.find(({ step }) => step === 'load')?.why).toBe('changed: secrets.DB');
}, 60_000);

const refusal = (problem: string) => ({
  code: 'STEP_SECRET_UNUSABLE',
  message: expect.stringMatching(
    new RegExp(`step "load" takes \\$DB from a secret, but ${problem}.*: tidemill secret put db --grants pipeline:p$`),
  ),
});

test('a run whose secret is missing or not granted is refused, and told what to do', async () => {
  const { project, put } = await open(`      load: { run: 'true', secrets: { DB: db } }\n`);
  await expect(project.run()).rejects.toMatchObject(refusal('there is no secret "db" in project "shop"'));
  await put(value, ['pipeline:other']);
  await expect(project.run()).rejects.toMatchObject(refusal('pipeline:p may not read the secret "db"'));
  await put(value);
  expect((await project.run()).state).toBe('succeeded');
});

test('one that is taken away while the run goes on fails the step that wants it', async () => {
  const go = join(await temporaryFolder(), 'go');
  const { project, put } = await open(`
      first: { run: 'while [ ! -e ${go} ]; do sleep 0.02; done' }
      load: { run: 'true', needs: [first], secrets: { DB: db } }
`);
  await put(value);
  const { id } = await project.start();
  await project.client.call(removeSecret, { params: { name: 'db' } });
  await writeFile(go, '');
  const run = await project.finished(id);
  expect(run.steps.find(({ step }) => step === 'load')).toMatchObject({
    state: 'failed',
    error: { code: 'SECRET_NOT_FOUND' },
  });
});

const apply = (step: string) => open(`      load: { run: 'true', ${step} }\n`);

test('a variable that is taken already is refused when the document is applied', async () => {
  await expect(apply('env: { DB: x }, secrets: { DB: db }')).rejects.toMatchObject({
    message: expect.stringContaining('the variable "DB" is taken: `env` sets it too'),
  });
  await expect(apply('secrets: { TIDEMILL_TOKEN: db }')).rejects.toMatchObject({
    message: expect.stringContaining('each step gets it from the server'),
  });
});
