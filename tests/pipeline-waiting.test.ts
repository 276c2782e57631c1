import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { decideApproval, listApprovals, setApprovalPolicy } from '../src/contracts/approvals.ts';
import { createWebhook } from '../src/contracts/automation.ts';
import { listEvents } from '../src/contracts/event-operations.ts';
import { traceLineage } from '../src/contracts/lineage.ts';
import { getOverview } from '../src/contracts/overview.ts';
import { cancelRun, completeStep, explainStep, getRun } from '../src/contracts/pipelines.ts';
import { newPostgresUrl } from '../src/platform/testing/database.ts';
import { startControlPlane } from './support/control-plane.ts';
import { openPipelineProject, type PipelineProject, stateOf, states } from './support/pipeline-project.ts';

type Options = NonNullable<Parameters<typeof startControlPlane>[0]>;

async function open(steps: string, options: Options = {}) {
  const server = await startControlPlane(options);
  const project = await openPipelineProject(server.client, {
    'tidemill.yaml': `project: shop\npipelines:\n  p:\n    params: { floor: 0.9 }\n    steps:\n${steps}`,
  });
  await project.apply();
  return { server, project };
}

const isWaiting = ({ state }: { readonly state: string }): boolean => state === 'waiting';

/** The token for which a step of a run waits, as another program hears it. */
async function tokenOf({ client }: PipelineProject, runId: string, step: string): Promise<string> {
  const { items } = await client.call(listEvents, {
    query: { type: ['step.waiting'], subject: `pipeline-step:${runId}/${step}` },
  });
  const data = items[0]?.data as { readonly token: string } | undefined;
  return data?.token ?? '';
}

/** What a step `ask` has asked for. */
const pending = async ({ client }: PipelineProject, runId: string) =>
  (await client.call(listApprovals, { query: { subject: `pipeline-step:${runId}/ask` } })).items[0];

/** Ends a step that would hold a run open after the test. */
const cancel = ({ client }: PipelineProject, runId: string) => client.call(cancelRun, { params: { runId } });

const external = `      build:  { run: 'echo "{\\"auc\\": 0.93}" > "$TIDEMILL_OUTPUT_R"', outputs: { r: json } }
      ci:     { use: external, with: { message: 'test what has an AUC of \${build.r.auc}' }, when: build.r.auc > params.floor }
      after:  { run: 'true', needs: [ci] }
`;

describe('a step that waits for another program', () => {
  test.each(['sqlite', 'postgres'])('goes on by its token, once (%s)', async (kind) => {
    const { project } = await open(external, kind === 'postgres' ? { databaseUrl: await newPostgresUrl() } : {});
    const { client } = project;
    const { id } = await project.start();
    const step = await project.stepUntil(id, 'ci', isWaiting);
    expect(step).toMatchObject({
      kind: 'use',
      needs: ['build'],
      why: expect.stringMatching(/^its condition holds: .*; waits for another program: test what has an AUC of 0.93$/),
    });
    const token = await tokenOf(project, id, 'ci');
    const complete = (name: string, given: string, runId = id) =>
      client.call(completeStep, { params: { runId, step: name }, body: { token: given, outcome: 'succeeded' } });
    await expect(complete('ci', `${token}x`)).rejects.toMatchObject({ code: 'STEP_TOKEN_WRONG', status: 403 });
    await expect(complete('build', token)).rejects.toMatchObject({ code: 'STEP_NOT_EXTERNAL' });
    await expect(complete('cj', token)).rejects.toMatchObject({ code: 'STEP_NOT_FOUND' });
    await expect(complete('ci', token, 'nothing')).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    expect(stateOf(await project.client.call(getRun, { params: { runId: id }, query: {} }), 'ci')).toBe('waiting');

    expect(await complete('ci', token)).toMatchObject({ step: 'ci', state: 'succeeded' });
    await expect(complete('ci', token)).rejects.toMatchObject({
      code: 'STEP_NOT_WAITING',
      message: 'step "ci" waits for nothing: it is succeeded',
    });
    const run = await project.finished(id);
    expect(run.state).toBe('succeeded');
    expect(states(run)).toEqual({ build: 'succeeded', ci: 'succeeded', after: 'succeeded' });
    // a token of one run answers no other: the next waits anew
    const next = await project.start();
    await project.stepUntil(next.id, 'ci', isWaiting);
    await expect(complete('ci', token, next.id)).rejects.toMatchObject({ code: 'STEP_TOKEN_WRONG' });
    await cancel(project, next.id);
    expect(states(await project.finished(next.id))).toMatchObject({ ci: 'cancelled', after: 'cancelled' });
    await expect(complete('ci', await tokenOf(project, next.id, 'ci'), next.id)).rejects.toMatchObject({
      code: 'STEP_NOT_WAITING',
    });
  });

  test('fails with the reason that it is told', async () => {
    const { project } = await open(external);
    const { id } = await project.start();
    await project.stepUntil(id, 'ci', isWaiting);
    await project.client.call(completeStep, {
      params: { runId: id, step: 'ci' },
      body: { token: await tokenOf(project, id, 'ci'), outcome: 'failed', reason: '3 of 80 tests failed' },
    });
    const run = await project.finished(id);
    expect(run).toMatchObject({ state: 'failed', error: { message: 'failed in ci' } });
    expect(run.steps[1]?.error).toEqual({ code: 'STEP_ANSWERED_FAILED', message: '3 of 80 tests failed' });
    expect(stateOf(run, 'after')).toBe('skipped');
  });

  test('waits no longer than it may, also while no server runs', async () => {
    const { server, project } = await open(`      ci:    { use: external, timeout: 1s }
      late:  { use: external, timeout: 1s, needs: [go] }
      go:    { run: 'true', needs: [never], when: 'false' }
      never: { run: 'true' }
      tidy:  { run: 'true', always: true }
`);
    const run = await project.run();
    expect(states(run)).toMatchObject({ ci: 'failed', late: 'skipped', go: 'skipped', tidy: 'succeeded' });
    expect(run.steps[0]?.error).toEqual({
      code: 'STEP_WAIT_OVER',
      message: 'nobody answered within 1s (use: external)',
    });
    const second = await project.start();
    expect((await project.stepUntil(second.id, 'ci', isWaiting)).deadlineAt).toBeDefined();
    await server.control.stop();
    const again = await startControlPlane({ home: server.home });
    const resumed = await openPipelineProject(again.client, { 'tidemill.yaml': 'project: shop\n' });
    expect(stateOf(await resumed.finished(second.id), 'ci')).toBe('failed');
  });
});

describe('a step that waits for an approval', () => {
  const approve = `      fit:  { run: 'true' }
      ask:  { use: approve, with: { policy: release, message: is it well? }, needs: [fit] }
      ship: { run: 'true', needs: [ask] }
`;

  test('goes on when a second person grants it, or whom the policy lets', async () => {
    const { project } = await open(approve);
    const { client } = project;
    const { id } = await project.start();
    expect((await project.stepUntil(id, 'ask', isWaiting)).why).toBe(
      'waits for an approval under policy "release": is it well?',
    );
    const asked = await pending(project, id);
    expect(asked).toMatchObject({
      about: 'pipeline p, step ask',
      message: 'is it well?',
      policy: 'release',
      state: 'pending',
      requestedBy: 'user:local',
    });
    const { pipelines } = await client.call(getOverview, {});
    expect(pipelines[0]?.lastRun?.steps.map(({ name, why }) => [name, why])).toEqual([
      ['fit', undefined],
      ['ask', 'waits for an approval under policy "release": is it well?'],
      ['ship', undefined],
    ]);
    const decide = (granted: boolean) =>
      client.call(decideApproval, { params: { approvalId: asked?.id ?? '' }, body: { granted, reason: 'looks well' } });
    await expect(decide(true)).rejects.toMatchObject({ code: 'SECOND_PERSON_REQUIRED' });
    // nobody but the approver answers: the token is no way round
    await expect(
      client.call(completeStep, {
        params: { runId: id, step: 'ask' },
        body: { token: await tokenOf(project, id, 'ask'), outcome: 'succeeded' },
      }),
    ).rejects.toMatchObject({ code: 'STEP_NOT_EXTERNAL' });
    await client.call(setApprovalPolicy, { params: { name: 'release' }, body: { selfApproval: true } });
    await decide(true);
    const run = await project.finished(id);
    expect(states(run)).toEqual({ fit: 'succeeded', ask: 'succeeded', ship: 'succeeded' });
    const { edges } = await client.call(traceLineage, {
      query: { ref: `run:${id}`, direction: 'up', depth: 5 },
    });
    expect(edges.map(({ from, kind }) => `${from} ${kind}`)).toContain(`approval:${asked?.id} approved`);
  });

  test('fails with the reason of a refusal, and asks nobody any more once its run is cancelled or it waited too long', async () => {
    const { project } = await open(approve.replace('needs: [fit] }', 'needs: [fit], timeout: 2s }'));
    const first = await project.start();
    await project.stepUntil(first.id, 'ask', isWaiting);
    const asked = await pending(project, first.id);
    await project.client.call(decideApproval, {
      params: { approvalId: asked?.id ?? '' },
      body: { granted: false, reason: 'too slow on Mondays' },
    });
    const run = await project.finished(first.id);
    expect(states(run)).toEqual({ fit: 'succeeded', ask: 'failed', ship: 'skipped' });
    expect(run.steps[1]?.error).toEqual({
      code: 'STEP_APPROVAL_REFUSED',
      message: 'refused under policy "release": too slow on Mondays',
    });
    const explained = await project.client.call(explainStep, { params: { runId: first.id, step: 'ask' } });
    expect(explained.why).toContain('is it well?');

    const second = await project.start();
    await project.stepUntil(second.id, 'ask', isWaiting);
    await cancel(project, second.id);
    expect(stateOf(await project.finished(second.id), 'ask')).toBe('cancelled');
    expect(await pending(project, second.id)).toMatchObject({ state: 'withdrawn', reason: 'the run was cancelled' });

    const third = await project.run();
    expect(stateOf(third, 'ask')).toBe('failed');
    expect(await pending(project, third.id)).toMatchObject({ state: 'withdrawn' });
  });
});

describe('a step that notifies', () => {
  test('hands the message to the signed webhooks that take it; without any it fails', async () => {
    const { project } = await open(
      `      fit:  { run: 'exit 1' }
      tell: { use: notify, with: { message: 'floor \${params.floor}, \${has(other.r.x)}' }, always: true }
      other: { run: 'exit 1', outputs: { r: json } }
`,
      { webhookHosts: '127.0.0.1' },
    );
    const unheard = await project.run();
    expect(unheard.steps.find(({ step }) => step === 'tell')?.error).toMatchObject({
      code: 'NOTIFICATION_UNHEARD',
      message: expect.stringContaining('tidemill webhook create'),
    });
    const heard: { readonly body: string; readonly signature: unknown }[] = [];
    const receiver = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        heard.push({ body, signature: request.headers['tidemill-signature'] });
        response.end();
      });
    });
    await new Promise<void>((resolve) => void receiver.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => new Promise((resolve) => void receiver.close(() => resolve())));
    const { port } = receiver.address() as AddressInfo;
    await project.client.call(createWebhook, {
      body: { url: `http://127.0.0.1:${port}/hook`, types: ['pipeline.notified'] },
    });
    const run = await project.run();
    expect(states(run)).toEqual({ fit: 'failed', tell: 'succeeded', other: 'failed' });
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(1);
    expect(JSON.parse(heard[0]?.body ?? '')).toMatchObject({
      type: 'pipeline.notified',
      subject: `pipeline-step:${run.id}/tell`,
      data: { runId: run.id, pipeline: 'p', step: 'tell', message: 'floor 0.9, false' },
    });
    expect(heard[0]?.signature).toMatch(/^t=\d+,v1=[0-9a-f]{64}$/);
  });
});

test('a text that has no value fails its step and asks nobody', async () => {
  const { project } = await open(`      fit: { run: 'echo "{}" > "$TIDEMILL_OUTPUT_R"', outputs: { r: json } }
      ask: { use: approve, with: { message: 'AUC \${fit.r.auc}' } }
`);
  const run = await project.run();
  expect(run.steps[1]).toMatchObject({
    state: 'failed',
    error: { code: 'STEP_TEXT_UNDECIDED', message: 'with.message has no value: fit.r has no field "auc"' },
  });
  expect((await project.client.call(listApprovals, { query: {} })).items).toEqual([]);
});
