import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { collect, runTidemill, startTidemill } from './support/command-line.ts';
import { temporaryFolder } from './support/control-plane.ts';
import { startPair } from './support/running-server.ts';

test('logs -f prints what a step writes while it writes it, and ends with it; status says where gRPC is', async () => {
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
  const at = expect.stringMatching(/^127\.0\.0\.1:\d+$/);
  expect(parts).toContainEqual({ part: 'grpc', state: 'ready', at });
}, 120_000);

/** Shell that waits until the test makes a file. */
const until = (name: string) => `until [ -e "$GO/${name}" ]; do sleep 0.02; done`;

test('logs -f of a run goes on until it has ended: steps and items that begin later, and those at the same time', async () => {
  const pair = await startPair();
  const folder = await temporaryFolder();
  await writeFile(
    join(folder, 'tidemill.yaml'),
    `project: talk
pipelines:
  long:
    steps:
      first: { run: 'echo first begins; ${until('first')}; echo first ends', env: { GO: '${folder}' } }
      each:
        run: 'echo item \${each.item} begins; ${until('item-${each.item}')}; printf "item \${each.item} ends"'
        foreach: [0, 1, 2]
        max: 2
        needs: [first]
        env: { GO: '${folder}' }
      last: { run: 'echo last; ${until('last')}', needs: [each], env: { GO: '${folder}' } }
`,
  );
  const run = (...line: readonly string[]) => runTidemill([...line, '--home', pair.home], { cwd: folder });
  expect(await run('apply')).toMatchObject({ status: 0 });
  const { id } = JSON.parse((await run('run', 'long', '--json')).stdout) as { readonly id: string };

  const following = startTidemill(['logs', id, '-f', '--home', pair.home], { cwd: folder });
  const onlyEach = collect(startTidemill(['logs', `${id}/each`, '-f', '--json', '--home', pair.home], { cwd: folder }));
  const ended = collect(following);
  let heard = '';
  following.stdout?.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  const hears = (text: string) => expect.poll(() => heard, { timeout: 30_000 }).toContain(text);
  const go = (name: string) => writeFile(join(folder, name), '');

  await hears('first begins\n');
  await go('first');
  // both, before either has ended
  await hears('item 0 begins\n');
  await hears('item 1 begins\n');
  expect(heard).not.toContain('item 2');
  await go('item-1');
  await hears('item 2 begins\n');
  await go('item-0');
  await go('item-2');
  await hears('last\n');
  expect(following.exitCode).toBeNull();
  await go('last');

  const { status, stdout, stderr } = await ended;
  expect(status).toBe(0);
  expect(stdout.split('\n').filter(Boolean).toSorted()).toEqual(
    [
      'first begins',
      'first ends',
      ...[0, 1, 2].flatMap((item) => [`item ${item} begins`, `item ${item} ends`]),
      'last',
    ].toSorted(),
  );
  const headings = stderr.split('\n').filter(Boolean);
  expect(headings[0]).toBe('--- first');
  expect(headings.slice(-2)).toEqual(['--- last', `--- run ${id}: succeeded`]);
  expect(new Set(headings)).toEqual(
    new Set(['--- first', ...[0, 1, 2].map((item) => `--- each[${item}]`), '--- last', `--- run ${id}: succeeded`]),
  );
  const lines = (await onlyEach).stdout.trim().split('\n');
  const texts = lines.map((line) => JSON.parse(line) as { readonly step: string; readonly text: string });
  expect(
    texts
      .filter(({ step }) => step === 'each[2]')
      .map(({ text }) => text)
      .join(''),
  ).toBe('item 2 begins\nitem 2 ends');
  expect(new Set(texts.map(({ step }) => step))).toEqual(new Set(['each[0]', 'each[1]', 'each[2]']));
  expect(await run('logs', `${id}/eech`, '-f')).toMatchObject({ status: 3 });
}, 120_000);

test('logs -f says what a run waits for, and whoever decides is shown the message', async () => {
  const pair = await startPair();
  const folder = await temporaryFolder();
  await writeFile(
    join(folder, 'tidemill.yaml'),
    "project: talk\npipelines: { p: { steps: { ask: { use: approve, with: { message: ship it? } }, no: { run: 'true', needs: [ask] } } } }\n",
  );
  const run = (...line: readonly string[]) => runTidemill([...line, '--home', pair.home], { cwd: folder });
  expect(await run('apply')).toMatchObject({ status: 0 });
  const { id } = JSON.parse((await run('run', 'p', '--json')).stdout) as { readonly id: string };
  const following = startTidemill(['logs', id, '-f', '--home', pair.home], { cwd: folder });
  const ended = collect(following);
  let said = '';
  following.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await expect
    .poll(() => said, { timeout: 30_000 })
    .toBe('--- ask: waits for an approval under policy "pipeline": ship it?\n');
  const { stdout } = await run('approval', 'list');
  expect(stdout).toContain('\tpipeline p, step ask\tship it?\t');
  expect((await run('approval', 'show', stdout.split('\n')[1]?.split('\t')[0] ?? '')).stdout).toContain(
    'message: ship it?\n',
  );
  expect(await run('pipeline-run', 'cancel', id)).toMatchObject({ status: 0 });
  expect(await ended).toMatchObject({ status: 0, stdout: '' });
  expect(said).toContain(`--- run ${id}: cancelled\n`);
}, 120_000);
