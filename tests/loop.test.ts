import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createAlertsModule } from '#modules/alerts';
import { createLineageModule } from '#modules/lineage';
import { listAlerts } from '../src/contracts/alerts.ts';
import { decideApproval, listApprovals, setApprovalPolicy } from '../src/contracts/approvals.ts';
import { fireTrigger } from '../src/contracts/automation.ts';
import type { DeploymentSpec } from '../src/contracts/deployment-spec.ts';
import { listEvaluations } from '../src/contracts/evaluation.ts';
import type { TidemillEvent } from '../src/contracts/event-types.ts';
import type { StoredEvent } from '../src/contracts/events.ts';
import { createToken, createUser } from '../src/contracts/identity.ts';
import { traceLineage } from '../src/contracts/lineage.ts';
import { getRun, listRuns, startRun } from '../src/contracts/pipelines.ts';
import { getModel, listPromotions } from '../src/contracts/registry.ts';
import { type Client, createClient } from '../src/sdk/index.ts';
import { createFakeReplica } from './deployments/fake-replica.ts';
import { startControlPlane, type TestControlPlane } from './support/control-plane.ts';
import { createTestProject } from './support/project.ts';
import { startPair } from './support/running-server.ts';
import { copyingPipeline, flightRows, modelBytes, serveModel } from './support/served-model.ts';

/** The control plane whole, as `up` runs it; a replica is real as far as its reports go. */
const project = 'flights';
const flights = `project: ${project}
datasets:
  flights: { source: data/*.csv, time: time_hour }
`;

async function open(document: string, options: { readonly auth?: 'on' } = {}) {
  const server = await startControlPlane(options);
  const folder = await createTestProject(server.client, flights + document);
  await folder.write('model.onnx', await modelBytes());
  await folder.write('data/flights.csv', flightRows);
  await folder.apply();
  await folder.land('flights');
  return { server, folder, client: await folder.client() };
}

/** Everything that events have led to is done, jobs included. */
async function quiet(server: TestControlPlane): Promise<void> {
  for (;;) {
    await server.platform.consumers.idle();
    const own = server.client.inProject(project);
    const [running, { items }] = [
      await own.call(listRuns, { query: { state: 'running' } }),
      await own.call(listPromotions, { query: {} }),
    ];
    // a run waits for its gates; an approval is waited for by nobody
    const judged = items.every(({ checks }) =>
      checks.every(
        ({ name, state, approvalId }) =>
          state !== 'pending' || approvalId !== undefined || name.startsWith('approval:'),
      ),
    );
    if (running.items.length === 0 && judged) return;
    await delay(20);
  }
}

const eventsOf = (server: TestControlPlane): Promise<readonly StoredEvent[]> =>
  server.platform.events.list({ project, limit: 1000, order: 'asc' });

function newest(events: readonly StoredEvent[], type: TidemillEvent['type']): StoredEvent {
  const found = events.findLast((event) => event.type === type);
  if (found === undefined) throw new Error(`no event ${type}`);
  return found;
}

/** The event, what caused it, what caused that, and so on. */
function chainOf(events: readonly StoredEvent[], event: StoredEvent): readonly StoredEvent[] {
  const cause = events.find(({ id }) => id === event.cause);
  return cause === undefined ? [event] : [event, ...chainOf(events, cause)];
}

async function raise(server: TestControlPlane, fingerprint = 'late:performance', atMs?: number): Promise<void> {
  const { database } = server.platform;
  const alerts = createAlertsModule({ database, lineage: createLineageModule({ database }).api });
  await database.write({ actor: 'system:test' }, (unit) =>
    alerts.api.open(unit, {
      project,
      fingerprint,
      kind: 'performance',
      severity: 'critical',
      title: 'AUC fell',
      subject: 'monitor:late',
      evidence: {},
      ...(atMs !== undefined && { atMs }),
    }),
  );
}

/** A replica loads what the spec describes, and says so. */
async function reportReady(client: Client): Promise<void> {
  const spec = (await (await client.request('/data-plane/pools/default/spec')).json()) as DeploymentSpec;
  const report = createFakeReplica('replica-1', `boot-${Date.now()}`).report(spec);
  await client.request('/data-plane/replicas/replica-1/report', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(report),
  });
}

test('causes lead back from a completed rollout to the alert that began it', async () => {
  const { server } = await open(`pipelines:
  train:${copyingPipeline('late')}
deployments:
  late: { model: "model:late@champion" }
monitors:
  late: { drift: auto }
triggers:
  - { on: alert:late/performance, run: pipeline:train }
`);
  await raise(server);
  await quiet(server);
  await reportReady(server.client);
  await quiet(server);
  const events = await eventsOf(server);
  const chain = chainOf(events, newest(events, 'rollout.completed')).map(({ type }) => type);
  expect(chain).toEqual([
    'rollout.completed',
    'registry.alias.moved',
    'job.finished', // scored the candidate
    'job.finished', // described the model
    'job.finished', // trained it
    'alert.opened',
  ]);
  const alert = newest(events, 'alert.opened');
  for (const type of ['trigger.fired', 'pipeline.run.started', 'model.version.proposed', 'gate.decided'] as const)
    expect(chainOf(events, newest(events, type)).at(-1)).toEqual(alert);
  // what belongs to one unit has one cause
  expect(newest(events, 'pipeline.run.started').cause).toBe(newest(events, 'trigger.fired').cause);
  expect(newest(events, 'gate.decided').cause).toBe(newest(events, 'registry.alias.moved').cause);
});

test('steps that follow one another make no longer chain: a triggered pipeline may have many', async () => {
  const steps = Array.from(
    { length: 24 },
    (_, at) => `      s${at}: { run: 'true'${at === 0 ? '' : `, needs: [s${at - 1}]`} }`,
  );
  const { server, client } = await open(`pipelines:
  p:
    steps:
${steps.join('\n')}
monitors: { late: { drift: auto } }
deployments: { late: { model: "model:late@champion" } }
triggers: [ { on: alert:late/performance, run: pipeline:p } ]
`);
  await raise(server);
  await quiet(server);
  const { items } = await client.call(listRuns, { query: {} });
  expect(items.map(({ state }) => state)).toEqual(['succeeded']);
});

const copying = (name: string): string =>
  `  ${name}: { steps: { s: { run: 'cp "$TIDEMILL_INPUT_ROWS" "$TIDEMILL_OUTPUT_ROWS"', inputs: { rows: "dataset:flights" }, outputs: { rows: dataset }, cache: false } } }\n`;

test('pipelines that start each other are stopped, and an alert says so', async () => {
  const pipelines = `pipelines:\n${copying('a')}${copying('b')}`;
  // The document shows no circle, for it never names both triggers; absence takes nothing away.
  const { server, folder, client } = await open(
    `${pipelines}triggers: [ { name: first, on: dataset:a.s.rows, run: pipeline:b } ]\n`,
  );
  await folder.write(
    'tidemill.yaml',
    `${flights}${pipelines}triggers: [ { name: second, on: dataset:b.s.rows, run: pipeline:a } ]\n`,
  );
  await folder.apply();
  await client.call(startRun, { params: { name: 'a' }, body: {} });
  await expect
    .poll(async () => (await client.call(listAlerts, { query: { kind: 'consumer' } })).items, { timeout: 60_000 })
    .toMatchObject([{ severity: 'critical', title: expect.stringContaining('in a chain of causes') }]);
  await quiet(server);
  const { items } = await client.call(listRuns, { query: { limit: 200 } });
  expect(items.length).toBeGreaterThan(4);
  expect(items.length).toBeLessThan(16);
});

/** A new person with a token of their own. */
async function hire(server: TestControlPlane, name: string, role: 'editor' | 'approver'): Promise<Client> {
  const admin = server.client.inProject(project);
  await admin.call(createUser, { body: { name, role } });
  const { token } = await admin.call(createToken, { body: { name: 'laptop', user: name } });
  return createClient({ url: server.url, project, token });
}

const grantBy = (who: Client, approvalId: string) =>
  who.call(decideApproval, { params: { approvalId }, body: { granted: true, reason: 'it looks well' } });

test('whoever started a run, by hand or by a trigger, cannot approve what it proposes', async () => {
  const { server, folder, client } = await open(
    `pipelines:
  train:${copyingPipeline('late', ', approvals: [risk]')}
triggers:
  - { name: nightly, cron: "0 3 1 1 *", run: pipeline:train, params: { mark: "00000002" } }
`,
    { auth: 'on' },
  );
  expect(folder).toBeDefined();
  const [ada, bob] = [await hire(server, 'ada', 'approver'), await hire(server, 'bob', 'approver')];
  const pending = async () => {
    await quiet(server);
    const { items } = await client.call(listApprovals, { query: { state: 'pending' } });
    if (items.length !== 1 || items[0] === undefined) throw new Error(`${items.length} requests for approval`);
    return items[0];
  };
  const run = await ada.call(startRun, { params: { name: 'train' }, body: {} });
  expect(run.trigger).toBe('user:ada');
  const first = await pending();
  expect(first.requestedBy).toBe('user:ada');
  await expect(grantBy(ada, first.id)).rejects.toMatchObject({ code: 'SECOND_PERSON_REQUIRED' });
  await grantBy(bob, first.id);
  await quiet(server);
  const [promotion] = (await client.call(listPromotions, { query: {} })).items;
  expect(promotion).toMatchObject({ state: 'completed', createdBy: 'user:ada' });
  expect(promotion?.checks.at(-1)).toMatchObject({ name: 'approval:risk', decidedBy: 'user:bob' });

  await bob.call(fireTrigger, { params: { name: 'nightly' } });
  const second = await pending();
  expect(second.requestedBy).toBe('user:bob');
  await expect(grantBy(bob, second.id)).rejects.toMatchObject({ code: 'SECOND_PERSON_REQUIRED' });
  await grantBy(ada, second.id);
});

const comparing = (more = ''): string =>
  `pipelines:\n  train:${copyingPipeline('late', more).replace('auc > 0.6', 'auc >= champion.auc')}`;

async function allowSelfApproval(client: Client, ...policies: readonly string[]): Promise<void> {
  for (const name of policies) await client.call(setApprovalPolicy, { params: { name }, body: { selfApproval: true } });
}

/** Trains another version and waits for what comes of it. */
async function train(server: TestControlPlane, mark: string) {
  const client = server.client.inProject(project);
  const { id } = await client.call(startRun, { params: { name: 'train' }, body: { params: { mark } } });
  await quiet(server);
  return await client.call(getRun, { params: { runId: id }, query: {} });
}

test('a version that waited for its approval is compared with the champion of today, and approved on that', async () => {
  const { server, client } = await open(comparing(', approvals: [risk]'));
  await allowSelfApproval(client, 'risk');
  const requests = async () => (await client.call(listApprovals, { query: { state: 'pending' } })).items;
  const grant = async (approvalId: string | undefined) => {
    const body = { granted: true, reason: 'it looks well' };
    await client.call(decideApproval, { params: { approvalId: approvalId ?? '' }, body });
    await quiet(server);
  };
  const evaluations = async () =>
    (await client.call(listEvaluations, { query: {} })).items.map(
      ({ version, championVersion, verdict }) => `${version} against ${championVersion}: ${verdict}`,
    );
  const champion = async () => (await client.call(getModel, { params: { model: 'late' } })).aliases;

  await train(server, '00000001');
  await grant((await requests())[0]?.id);
  await train(server, '00000002');
  await train(server, '00000003');
  const [third, second] = await requests();
  expect(await evaluations()).toEqual(['3 against 1: passed', '2 against 1: passed', '1 against undefined: first']);
  await grant(second?.id);
  expect(await champion()).toEqual([{ alias: 'champion', version: 2 }]);
  expect((await evaluations())[0]).toBe('3 against 2: passed');
  const [again, ...others] = await requests();
  expect(others).toEqual([]);
  expect(again?.subject).toBe(third?.subject);
  await expect(grant(third?.id)).rejects.toMatchObject({ code: 'APPROVAL_DECIDED' }); // on stale evidence
  await grant(again?.id);
  expect(await champion()).toEqual([{ alias: 'champion', version: 3 }]);
});

test('a champion that cannot be scored leaves the gate to a person, who sees why', async () => {
  const { server, client } = await open(comparing());
  await allowSelfApproval(client, 'gate-override');
  const mlflow = (path: string, body: object) =>
    client.request(`/api/2.0/mlflow/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  await mlflow('registered-models/create', { name: 'late' });
  await mlflow('model-versions/create', { name: 'late', source: 's3://elsewhere/model' });
  await mlflow('registered-models/alias', { name: 'late', alias: 'champion', version: '1' });

  const run = await train(server, '00000001');
  expect(run).toMatchObject({ state: 'succeeded', result: { version: 2, verdict: 'undecided' } });
  const promotion = async () => (await client.call(listPromotions, { query: {} })).items[0];
  expect(await promotion()).toMatchObject({
    state: 'open',
    checks: [{ name: 'gate:auc >= champion.auc', state: 'pending', verdict: 'undecidable' }],
  });
  const [evaluation] = (await client.call(listEvaluations, { query: {} })).items;
  expect(evaluation).toMatchObject({
    championVersion: 1,
    verdict: 'undecided',
    gates: [{ reason: 'the champion, version 1, cannot be compared with: it has no file that can be scored' }],
  });
  const [request] = (await client.call(listApprovals, { query: { state: 'pending' } })).items;
  expect(request?.policy).toBe('gate-override');
  await client.call(decideApproval, {
    params: { approvalId: request?.id ?? '' },
    body: { granted: true, reason: 'compared by hand' },
  });
  await quiet(server);
  expect(await promotion()).toMatchObject({
    state: 'completed',
    checks: [
      { state: 'satisfied', verdict: 'granted', decidedBy: 'user:local', evidence: { before: { decision: {} } } },
    ],
  });
});

const flattered = (model: string) =>
  `warning: 40 test rows (100 %) lie at or before the last row that the ${model} was trained on, 2026-01-01T00:00:00.000Z: the comparison flatters the ${model}`;

test('a verdict warns of test rows that a model was trained on, and passes its gate all the same', async () => {
  const { server, client } = await open(comparing(', time: time_hour'));
  const judged = async () => (await client.call(listEvaluations, { query: {} })).items[0];

  await train(server, '00000001'); // its train and test are the same rows
  const first = await judged();
  expect(first).toMatchObject({ verdict: 'first', result: { overlap: { overlaps: 'candidate' } } });
  expect(first?.gates[0]?.reason).toBe('there is no champion to compare with; '.concat(flattered('candidate')));

  await train(server, '00000002');
  const second = await judged();
  expect(second).toMatchObject({
    verdict: 'passed',
    result: { overlap: { overlaps: 'both', time: 'time_hour', champion: { rows: 40, share: 1 } } },
  });
  expect(second?.gates[0]?.reason).toMatch(/ on 40 rows; warning: /);
  for (const model of ['candidate', 'champion']) expect(second?.gates[0]?.reason).toContain(flattered(model));
  // beside the check that it satisfied
  const [promotion] = (await client.call(listPromotions, { query: {} })).items;
  expect(promotion?.checks).toMatchObject([
    { state: 'satisfied', evidence: { result: { overlap: { overlaps: 'both' } } } },
  ]);
});

test('without a time column a verdict says that overlap is unknown, and warns of nothing', async () => {
  const { server, client } = await open(comparing());
  await train(server, '00000001');
  const [evaluation] = (await client.call(listEvaluations, { query: {} })).items;
  expect(evaluation?.result?.overlap).toMatchObject({ overlaps: 'unknown', why: expect.stringContaining('`time`') });
  expect(evaluation?.gates[0]?.reason).not.toContain('warning');
});

test('a prediction leads to the data that trained its model and to who approved it', async () => {
  const pair = await startPair();
  let approval = '';
  const model = await serveModel(pair, {
    more: ', approvals: [risk]',
    async proposed(client) {
      await allowSelfApproval(client, 'risk');
      const [request] = (await client.call(listApprovals, { query: { state: 'pending' } })).items;
      approval = request?.id ?? '';
      const body = { granted: true, reason: 'it looks well' };
      await client.call(decideApproval, { params: { approvalId: approval }, body });
    },
  });
  const prediction = await model.ask();
  await model.flush();
  const up = await model.client().call(traceLineage, { query: { ref: `prediction:${prediction}`, direction: 'up' } });
  const above = up.nodes.map(({ ref }) => ref);
  expect(above).toContain(`approval:${approval}`);
  expect(above).toContain('dataset:flights@1');
  expect(above).toContain('model:late@1');
}, 120_000);
