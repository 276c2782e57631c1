import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { decideApproval, listApprovals, setApprovalPolicy } from '../src/contracts/approvals.ts';
import { listEvents } from '../src/contracts/event-operations.ts';
import { completeStep, getRun } from '../src/contracts/pipelines.ts';
import { builtModule } from '../src/platform/testing/built-program.ts';
import { createClient } from '../src/sdk/index.ts';
import { temporaryFolder } from './support/control-plane.ts';
import { openPipelineProject, type PipelineProject } from './support/pipeline-project.ts';

const program = fileURLToPath(new URL('../bin/tidemill', import.meta.url));

interface Server {
  readonly url: string;
  kill(): Promise<void>;
}

/** `tidemill up` as a person starts it. */
async function up(home: string): Promise<Server> {
  await builtModule('cli/main.js');
  const child = spawn(program, ['up', '--json', '--home', home, '--port', '0', '--serving-port', '0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => stopped(child, 'SIGTERM'));
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${errors}`)));
  });
  return { url: (JSON.parse(line) as { url: string }).url, kill: () => stopped(child, 'SIGKILL') };
}

async function stopped(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await exit;
}

async function openProject(url: string, steps: string): Promise<PipelineProject> {
  const project = await openPipelineProject(createClient({ url }), {
    'tidemill.yaml': `project: shop\npipelines:\n  p:\n    steps:\n${steps}`,
  });
  await project.apply();
  return project;
}

/** How often the log says that each step has ended. */
function endsOf(home: string): Record<string, number> {
  const [file = ''] = readdirSync(home).filter((name) => name.endsWith('.db'));
  const database = new Sqlite(join(home, file), { readonly: true });
  const rows = database
    .prepare("select subject, count(*) as ends from events where type = 'step.finished' group by subject")
    .all() as readonly { readonly subject: string; readonly ends: number }[];
  database.close();
  return Object.fromEntries(rows.map(({ subject, ends }) => [subject.split('/')[1] ?? '', ends]));
}

describe('kill -9 of the server', () => {
  test('during a step loses neither the step, nor its log, nor the run', async () => {
    const home = join(await temporaryFolder(), 'home');
    const folder = await temporaryFolder();
    const first = await up(home);
    const project = await openProject(
      first.url,
      `      long:  { run: 'echo x >> "$F/ran"; n=0; until [ -e "$F/go" ]; do n=$((n+1)); echo "line $n"; echo $n > "$F/lines"; sleep 0.02; done; echo end; echo made > "$TIDEMILL_OUTPUT_X"', outputs: [x], env: { F: '${folder}' } }
      after: { run: 'cp "$TIDEMILL_INPUT_X" "$TIDEMILL_OUTPUT_Y"', inputs: { x: long.x }, outputs: [y] }
`,
    );
    const { id } = await project.start();
    const lines = (): number => Number(readFileSync(join(folder, 'lines'), { encoding: 'utf8', flag: 'a+' }));
    await expect.poll(lines).toBeGreaterThan(3);
    await first.kill();
    const atDeath = lines();
    await expect.poll(lines).toBeGreaterThan(atDeath + 3); // it goes on without the server

    const second = await up(home);
    const client = createClient({ url: second.url, project: 'shop' });
    expect((await client.call(getRun, { params: { runId: id }, query: {} })).steps[0]?.state).toBe('running');
    await writeFile(join(folder, 'go'), '');
    const run = await client.call(getRun, { params: { runId: id }, query: { wait: 30 } });
    expect(run.steps.map(({ step, state }) => [step, state])).toEqual([
      ['long', 'succeeded'],
      ['after', 'succeeded'],
    ]);
    expect(run.state).toBe('succeeded');
    expect(readFileSync(join(folder, 'ran'), 'utf8')).toBe('x\n');
    expect(endsOf(home)).toEqual({ long: 1, after: 1 });
    const jobId = run.steps[0]?.jobId ?? '';
    const log = readFileSync(join(home, 'attempts', 'logs', `${jobId}.log`), 'utf8');
    const printed = log.match(/line \d+/g) ?? [];
    expect(log).toBe(`${printed.map((_, index) => `line ${index + 1}\n`).join('')}end\n`);
    await expect.poll(() => readdirSync(join(home, 'attempts'))).toEqual(['logs']);
  }, 120_000);

  test('between the items of a step runs each of them once, and the rest', async () => {
    const home = join(await temporaryFolder(), 'home');
    const folder = await temporaryFolder();
    const first = await up(home);
    const project = await openProject(
      first.url,
      `      work:  { run: 'echo \${each.item} >> "$F/ran"; until [ -e "$F/go" ]; do sleep 0.02; done; echo \${each.item} > "$TIDEMILL_OUTPUT_X"', foreach: { range: 5 }, max: 2, outputs: [x], env: { F: '${folder}' } }
      after: { run: 'cat "$TIDEMILL_INPUT_X"/* > "$TIDEMILL_OUTPUT_Y"', inputs: { x: 'work[*].x' }, outputs: [y] }
`,
    );
    const { id } = await project.start();
    const ran = (): string[] =>
      readFileSync(join(folder, 'ran'), { encoding: 'utf8', flag: 'a+' }).split('\n').toSorted();
    await expect.poll(ran).toEqual(['', '0', '1']);
    await first.kill();
    await writeFile(join(folder, 'go'), '');

    const client = createClient({ url: (await up(home)).url, project: 'shop' });
    const run = await client.call(getRun, { params: { runId: id }, query: { wait: 30 } });
    expect(run.state).toBe('succeeded');
    expect(ran()).toEqual(['', '0', '1', '2', '3', '4']);
    const collected = run.steps.find(({ step }) => step === 'after')?.outputs['y']?.sha256;
    expect(await (await client.request(`/api/v1/artifacts/${collected}`)).text()).toBe('0\n1\n2\n3\n4\n');
    const ends = Object.keys(endsOf(home)).toSorted();
    expect(ends).toEqual(['after', 'work', 'work[0]', 'work[1]', 'work[2]', 'work[3]', 'work[4]']);
    expect(Object.values(endsOf(home))).toEqual(Array(7).fill(1));
  }, 120_000);

  test('while a step waits loses neither what it waits for nor its token', async () => {
    const home = join(await temporaryFolder(), 'home');
    const first = await up(home);
    const project = await openProject(
      first.url,
      `      ci:    { use: external }
      ask:   { use: approve, needs: [ci] }
      after: { run: 'true', needs: [ask] }
`,
    );
    const { id } = await project.start();
    await project.stepUntil(id, 'ci', ({ state }) => state === 'waiting');
    const query = { type: ['step.waiting'], subject: `pipeline-step:${id}/ci` };
    const [event] = (await project.client.call(listEvents, { query })).items;
    await first.kill();

    const second = await up(home);
    const client = createClient({ url: second.url, project: 'shop' });
    const token = (event?.data as { readonly token: string } | undefined)?.token ?? '';
    await client.call(completeStep, { params: { runId: id, step: 'ci' }, body: { token, outcome: 'succeeded' } });
    const [asked] = (await client.call(listApprovals, { query: { subject: `pipeline-step:${id}/ask` } })).items;
    await second.kill();

    const third = createClient({ url: (await up(home)).url, project: 'shop' });
    const approvalId = asked?.id ?? '';
    await third.call(setApprovalPolicy, { params: { name: 'pipeline' }, body: { selfApproval: true } });
    await third.call(decideApproval, { params: { approvalId }, body: { granted: true, reason: 'fine' } });
    const run = await third.call(getRun, { params: { runId: id }, query: { wait: 30 } });
    expect(run.state).toBe('succeeded');
    expect(endsOf(home)).toEqual({ ci: 1, ask: 1, after: 1 });
  }, 120_000);

  test('again and again, at any moment, never records a step twice', async () => {
    const home = join(await temporaryFolder(), 'home');
    let server = await up(home);
    const names = Array.from({ length: 8 }, (_, index) => `s${index}`);
    const project = await openProject(
      server.url,
      names
        .map((name, index) =>
          index === 0
            ? `      ${name}: { run: 'sleep 0.1; echo ${name} > "$TIDEMILL_OUTPUT_X"; mkdir "$TIDEMILL_OUTPUT_D"; seq 1 20 | while read n; do echo $n > "$TIDEMILL_OUTPUT_D/$n"; done', outputs: { x: file, d: dir } }\n`
            : `      ${name}: { run: 'sleep 0.1; cat "$TIDEMILL_INPUT_P" > "$TIDEMILL_OUTPUT_X"; echo ${name} >> "$TIDEMILL_OUTPUT_X"; cp -r "$TIDEMILL_INPUT_Q" "$TIDEMILL_OUTPUT_D"', inputs: { p: s${index - 1}.x, q: s${index - 1}.d }, outputs: { x: file, d: dir } }\n`,
        )
        .join(''),
    );
    const { id } = await project.start();
    for (const afterMs of [150, 330, 90, 410]) {
      await new Promise((resolve) => setTimeout(resolve, afterMs)); // a moment, not a condition: any will do
      await server.kill();
      server = await up(home);
    }
    const client = createClient({ url: server.url, project: 'shop' });
    for (let state = 'running'; state === 'running'; )
      ({ state } = await client.call(getRun, { params: { runId: id }, query: { wait: 30 } }));
    const run = await client.call(getRun, { params: { runId: id }, query: {} });
    expect(run.steps.map(({ step, state, error }) => [step, state, error?.message])).toEqual(
      names.map((name) => [name, 'succeeded', undefined]),
    );
    expect(endsOf(home)).toEqual(Object.fromEntries(names.map((name) => [name, 1])));
    const last = run.steps.at(-1)?.outputs['x']?.sha256;
    expect(await (await client.request(`/api/v1/artifacts/${last}`)).text()).toBe(`${names.join('\n')}\n`);
    expect(run.steps.at(-1)?.outputs['d']?.sha256).toBe(run.steps[0]?.outputs['d']?.sha256);
  }, 180_000);
});
