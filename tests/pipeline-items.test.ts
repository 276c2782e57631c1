import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listDatasets } from '../src/contracts/datasets.ts';
import { traceLineage } from '../src/contracts/lineage.ts';
import { cancelRun, explainStep, type RunView } from '../src/contracts/pipelines.ts';
import { newPostgresUrl } from '../src/platform/testing/database.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';
import { openPipelineProject, stateOf, states } from './support/pipeline-project.ts';

type Options = NonNullable<Parameters<typeof startControlPlane>[0]>;

async function open(steps: string, options: Options = {}) {
  const server = await startControlPlane(options);
  const project = await openPipelineProject(server.client, {
    'tidemill.yaml': `project: shop\npipelines:\n  p:\n    params: { todo: '{"items": [3, 1, 2]}', mode: x }\n    steps:\n${steps}`,
  });
  await project.apply();
  return project;
}

const of = (run: RunView, name: string) => run.steps.find(({ step }) => step === name);

const grid = `      train:
        run: 'echo "{\\"score\\": \${each.depth}\${each.seed}, \\"seed\\": $TIDEMILL_EACH_SEED, \\"all\\": $TIDEMILL_EACH}" > "$TIDEMILL_OUTPUT_METRICS"; mkdir "$TIDEMILL_OUTPUT_D"; echo "$TIDEMILL_STEP" > "$TIDEMILL_OUTPUT_D/name"'
        foreach: { depth: [4, 6], seed: { range: 2 } }
        max: 2
        params: []
        outputs: { metrics: metrics, d: dir }
      best:
        run: 'ls "$TIDEMILL_INPUT_METRICS" > "$TIDEMILL_OUTPUT_LIST"; cat "$TIDEMILL_INPUT_METRICS"/* "$TIDEMILL_INPUT_D"/*/name >> "$TIDEMILL_OUTPUT_LIST"'
        inputs: { metrics: 'train[*].metrics', d: 'train[*].d' }
        params: []
        outputs: [list]
`;

describe('a step with items', () => {
  test.each(['sqlite', 'postgres'])(
    'runs for each combination, each cached on its own, and is collected in order (%s)',
    async (database) => {
      const project = await open(grid, database === 'postgres' ? { databaseUrl: await newPostgresUrl() } : {});
      const run = await project.run();
      expect(run.error).toBeUndefined();
      expect(run.steps.map(({ step, state }) => `${step} ${state}`)).toEqual([
        'train succeeded',
        'train[0] succeeded',
        'train[1] succeeded',
        'train[2] succeeded',
        'train[3] succeeded',
        'best succeeded',
      ]);
      expect(of(run, 'train')).toMatchObject({
        kind: 'foreach',
        why: 'runs for each of 4 items, at most 2 at the same time',
      });
      expect(of(run, 'train[2]')).toMatchObject({ kind: 'command', each: { depth: 6, seed: 0 } });
      expect(await project.output(run, 'best', 'list')).toBe(
        [
          '0.json\n1.json\n2.json\n3.json\n',
          '{"score": 40, "seed": 0, "all": {"depth":4,"seed":0}}\n{"score": 41, "seed": 1, "all": {"depth":4,"seed":1}}\n',
          '{"score": 60, "seed": 0, "all": {"depth":6,"seed":0}}\n{"score": 61, "seed": 1, "all": {"depth":6,"seed":1}}\n',
          'train[0]\ntrain[1]\ntrain[2]\ntrain[3]\n',
        ].join(''),
      );
      expect(await project.log(run.id, 'train[3]')).toBe('');

      const again = await project.run();
      expect([...new Set(Object.values(states(again)))].toSorted()).toEqual(['cached', 'succeeded']);
      expect(stateOf(again, 'train[3]')).toBe('cached');
      expect(stateOf(again, 'best')).toBe('cached');

      // one value more: only its items are new, whatever their numbers
      await project.write({
        'tidemill.yaml': `project: shop\npipelines:\n  p:\n    steps:\n${grid.replace('[4, 6]', '[6, 5, 4]')}`,
      });
      await project.apply();
      const third = await project.run();
      expect(states(third)).toMatchObject({
        'train[0]': 'cached',
        'train[1]': 'cached',
        'train[2]': 'succeeded',
        'train[3]': 'succeeded',
        'train[5]': 'cached',
        best: 'succeeded',
      });
      const explained = await project.client.call(explainStep, { params: { runId: third.id, step: 'train[2]' } });
      expect(explained).toMatchObject({ why: 'changed: each.depth', parts: { 'each.depth': '5', 'each.seed': '0' } });
      const { edges } = await project.client.call(traceLineage, {
        query: { ref: `pipeline-step:${third.id}/best`, direction: 'up', depth: 5 },
      });
      expect(edges.map(({ from, kind }) => `${from} ${kind}`)).toContain(`pipeline-step:${third.id}/train[4] part-of`);
      const item = await project.client.call(traceLineage, { query: { ref: `pipeline-step:${third.id}/train[4]` } });
      expect(item.edges.length).toBeGreaterThan(0);
    },
  );

  test('runs for what a step has found, as many at a time as it may', async () => {
    const folder = await temporaryFolder();
    const project =
      await open(`      plan: { run: 'printf %s "\${params.todo}" > "$TIDEMILL_OUTPUT_LIST"', outputs: { list: json }, params: [todo] }
      work:
        run: 'touch "$F/at-$TIDEMILL_EACH_ITEM"; until [ -e "$F/go-\${each.item}" ]; do sleep 0.02; done; echo \${each.item} > "$TIDEMILL_OUTPUT_X"'
        foreach: plan.list.items
        max: 2
        env: { F: '${folder}' }
        params: []
        outputs: [x]
      sum: { run: 'cat "$TIDEMILL_INPUT_X"/* > "$TIDEMILL_OUTPUT_Y"', inputs: { x: 'work[*].x' }, outputs: [y], params: [] }
`);
    const { id } = await project.start();
    const begun = () => readdirSync(folder).filter((name) => name.startsWith('at-'));
    await expect.poll(begun, { timeout: 20_000 }).toEqual(['at-1', 'at-3']);
    expect((await project.step(id, 'work[2]')).state).toBe('pending');
    await writeFile(join(folder, 'go-1'), '');
    await expect.poll(begun, { timeout: 20_000 }).toEqual(['at-1', 'at-2', 'at-3']);
    await writeFile(join(folder, 'go-2'), '');
    await writeFile(join(folder, 'go-3'), '');
    const run = await project.finished(id);
    expect(run.state).toBe('succeeded');
    expect(await project.output(run, 'sum', 'y')).toBe('3\n1\n2\n');

    // another list: what is in the cache takes no place; none at all is no failure
    const less = await project.run({ params: { todo: '{"items": [2]}' } });
    expect(states(less)).toMatchObject({ 'work[0]': 'cached', work: 'succeeded', sum: 'succeeded' });
    expect(await project.output(less, 'sum', 'y')).toBe('2\n');
    const none = await project.run({ params: { todo: '{"items": []}' } });
    expect(of(none, 'work')).toMatchObject({ state: 'succeeded', why: 'runs for each of 0 items' });
    expect(stateOf(none, 'sum')).toBe('failed'); // cat finds nothing
    const wrong = await project.run({ params: { todo: '{"items": 7}' } });
    expect(of(wrong, 'work')).toMatchObject({
      state: 'failed',
      error: {
        code: 'STEP_ITEMS_UNDECIDED',
        message: 'what it runs for cannot be told: plan.list.items is 7, not a list',
      },
    });
    const lacking = await project.run({ params: { todo: '{"items": [{"item": 1}, {"other": 2}]}' } });
    expect(of(lacking, 'work')?.error?.message).toBe(
      'what it runs for cannot be told: item 1 is {"other":2}, and the command names ${each.item}',
    );
  });

  test('fails with the items that failed, and the next run runs those again', async () => {
    const folder = await temporaryFolder();
    const project = await open(`      work:
        run: '[ "$TIDEMILL_EACH_NAME" != b ] || [ -e "$F/well" ] || exit 4; echo "$TIDEMILL_EACH" > "$TIDEMILL_OUTPUT_X"'
        foreach: [{ name: a }, { name: b, more: 1 }, { name: c }]
        env: { F: '${folder}' }
        outputs: [x]
      after: { run: 'true', inputs: { x: 'work[*].x' } }
      tidy:  { run: 'true', foreach: { range: 2 }, always: true }
`);
    const run = await project.run();
    expect(run).toMatchObject({ state: 'failed', error: { message: 'failed in work' } });
    expect(states(run)).toEqual({
      work: 'failed',
      'work[0]': 'succeeded',
      'work[1]': 'failed',
      'work[2]': 'succeeded',
      after: 'skipped',
      tidy: 'succeeded',
      'tidy[0]': 'succeeded',
      'tidy[1]': 'succeeded',
    });
    expect(of(run, 'work')?.error).toEqual({
      code: 'STEP_ITEMS_FAILED',
      message: 'not all of its 3 items have succeeded: work[1]',
    });
    await writeFile(join(folder, 'well'), '');
    expect(states(await project.run())).toMatchObject({
      work: 'succeeded',
      'work[0]': 'cached',
      'work[1]': 'succeeded',
      'work[2]': 'cached',
      after: 'succeeded',
    });
  });

  test('is cancelled with its items, those that run and those that wait', async () => {
    const project = await open(`      work:  { run: 'sleep 600', foreach: [1, 2, 3], max: 1 }
      after: { run: 'true', needs: [work] }
      tidy:  { run: 'true', foreach: { range: 2 }, max: 1, always: true }
`);
    const { id } = await project.start();
    await project.stepUntil(id, 'work[0]', ({ state }) => state === 'running');
    await project.client.call(cancelRun, { params: { runId: id } });
    const run = await project.finished(id);
    expect(run.state).toBe('cancelled');
    expect(states(run)).toEqual({
      work: 'cancelled',
      'work[0]': 'cancelled',
      'work[1]': 'cancelled',
      'work[2]': 'cancelled',
      after: 'cancelled',
      tidy: 'succeeded',
      'tidy[0]': 'succeeded',
      'tidy[1]': 'succeeded',
    });
  });

  test('may make datasets, one for each item', async () => {
    const project =
      await open(`      part: { run: 'printf "PAR1 no footer here \\004\\000\\000\\000PAR1" > "$TIDEMILL_OUTPUT_ROWS"', foreach: [a, b], outputs: { rows: dataset } }
`);
    const run = await project.run();
    expect(run.error).toBeUndefined();
    expect(of(run, 'part[1]')?.outputs['rows']?.dataset).toBe('dataset:p.part.1.rows@1');
    const { items } = await project.client.call(listDatasets, {});
    expect(items.map(({ name }) => name)).toEqual(['p.part.0.rows', 'p.part.1.rows']);
  });
});
