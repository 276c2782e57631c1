import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createAlertsModule } from '#modules/alerts';
import { createLineageModule } from '#modules/lineage';
import { listAlerts } from '../src/contracts/alerts.ts';
import { decideApproval, listApprovals } from '../src/contracts/approvals.ts';
import { fireTrigger } from '../src/contracts/automation.ts';
import type { DeploymentSpec } from '../src/contracts/deployment-spec.ts';
import type { TidemillEvent } from '../src/contracts/event-types.ts';
import type { StoredEvent } from '../src/contracts/events.ts';
import { createToken, createUser } from '../src/contracts/identity.ts';
import { listRuns, startRun } from '../src/contracts/pipelines.ts';
import { listPromotions } from '../src/contracts/registry.ts';
import { type Client, createClient } from '../src/sdk/index.ts';
import { createFakeReplica } from './deployments/fake-replica.ts';
import { startControlPlane, type TestControlPlane } from './support/control-plane.ts';
import { createTestProject } from './support/project.ts';
import { copyingPipeline, flightRows, modelBytes } from './support/served-model.ts';

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
      checks.every(({ name, state }) => state !== 'pending' || name.startsWith('approval:')),
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
    expect(chainOf(events, newest(events, type)).at(-1), type).toEqual(alert);
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

test('pipelines that start each other are stopped, and an alert says so', async () => {
  const copying = (name: string): string =>
    `  ${name}: { steps: { s: { run: 'cp "$TIDEMILL_INPUT_ROWS" "$TIDEMILL_OUTPUT_ROWS"', inputs: { rows: "dataset:flights" }, outputs: { rows: dataset }, cache: false } } }\n`;
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
  const alert = await client.call(listAlerts, { query: { kind: 'consumer' } });
  expect(alert.items).toEqual([]);
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
  const grant = (who: Client, approvalId: string) =>
    who.call(decideApproval, { params: { approvalId }, body: { granted: true, reason: 'it looks well' } });

  const run = await ada.call(startRun, { params: { name: 'train' }, body: {} });
  expect(run.trigger).toBe('user:ada');
  const first = await pending();
  expect(first.requestedBy).toBe('user:ada');
  await expect(grant(ada, first.id)).rejects.toMatchObject({ code: 'SECOND_PERSON_REQUIRED' });
  await grant(bob, first.id);
  await quiet(server);
  const [promotion] = (await client.call(listPromotions, { query: {} })).items;
  expect(promotion).toMatchObject({ state: 'completed', createdBy: 'user:ada' });
  expect(promotion?.checks.at(-1)).toMatchObject({ name: 'approval:risk', decidedBy: 'user:bob' });

  await bob.call(fireTrigger, { params: { name: 'nightly' } });
  const second = await pending();
  expect(second.requestedBy).toBe('user:bob');
  await expect(grant(bob, second.id)).rejects.toMatchObject({ code: 'SECOND_PERSON_REQUIRED' });
  await grant(ada, second.id);
});
