// A control plane that dies inside the unit of an abort: after the weights and the rollout's row, before alert and alias.
// Run by data-plane.test.ts: node killed-in-abort.mjs <database> <report>
import { createDeploymentsModule } from '#modules/deployments';
import { createIdentityModule } from '#modules/identity';
import { createLineageModule } from '#modules/lineage';
import { createRegistryModule } from '#modules/registry';
import { createRolloutsModule } from '#modules/rollouts';
import { createManualClock } from '#platform/clock';
import { openDatabase } from '#platform/database';
import { createEventLog } from '#platform/events';
import { createHttpServer } from '#platform/http';
import { systemIds as ids } from '#platform/ids';
import { createLogger } from '#platform/log';

const [, , url, reportText] = process.argv;
const report = JSON.parse(reportText);
const clock = createManualClock(Date.UTC(2026, 0, 1));
const database = await openDatabase({ url, clock, ids });
const common = { database, clock, ids, events: createEventLog(database) };
const nothing = async () => undefined;
const artifacts = { retain: nothing, release: nothing };
const lineage = createLineageModule(common);
const identity = createIdentityModule({ ...common, auth: 'open' });
const registry = createRegistryModule({ ...common, approvals: { request: nothing }, artifacts, lineage: lineage.api });
const deployments = createDeploymentsModule({
  ...common,
  auth: 'open',
  blobs: {},
  registry: registry.api,
  artifacts,
  lineage: lineage.api,
  identity: identity.api,
  predictions: { registerRevision: nothing, reportProgress: nothing },
});
createRolloutsModule({
  ...common,
  deployments: deployments.api,
  registry: registry.api,
  lineage: lineage.api,
  alerts: {
    open() {
      process.kill(process.pid, 'SIGKILL');
      return new Promise(() => {});
    },
    resolve: nothing,
  },
});
const app = await createHttpServer({
  logger: createLogger({ level: 'silent' }),
  authenticate: identity.api.authenticate,
  allowedHosts: [],
  bodyLimitBytes: 1_000_000,
});
deployments.routes(app);
await app.inject({ method: 'POST', url: `/data-plane/replicas/${report.replica}/report`, payload: report });
