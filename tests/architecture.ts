/** The architecture as data: who may import whom, and why. Adding a line here is a decision for review. */

export interface FolderRule {
  readonly imports: readonly string[];
  /** Allowed by dynamic import, and by an import of types, which loads nothing. */
  readonly lazily?: readonly string[];
}

export const folders: Readonly<Record<string, FolderRule>> = {
  contracts: { imports: [] },
  statistics: { imports: [] },
  platform: { imports: ['contracts'] },
  modules: { imports: ['platform', 'contracts', 'statistics'] },
  protocols: { imports: ['platform', 'contracts', 'modules'] },
  runtimes: { imports: ['platform', 'contracts'] },
  serving: { imports: ['platform', 'contracts', 'runtimes'] },
  worker: { imports: ['platform', 'contracts', 'runtimes', 'statistics'] },
  sdk: { imports: ['contracts'] },
  // foreign stores are read and written beside the CLI, over the API alone: what they need (SQLite, PostgreSQL, YAML) is
  // loaded by the commands `import` and `export` and no other, and nothing of it is in the server
  transfer: { imports: ['contracts'] },
  // serving: `tidemill serve` is the data plane alone, in the process of the command
  cli: { imports: ['sdk', 'contracts'], lazily: ['app', 'transfer', 'serving'] },
  app: { imports: ['contracts', 'platform', 'modules', 'protocols', 'sdk'] },
};

/** Calls go down this list, events come up. */
export const moduleOrder: readonly string[] = [
  'workspace',
  'governance',
  'automation',
  'rollouts',
  'monitoring',
  'deployments',
  'pipelines',
  'evaluation',
  'packaging',
  'graphs',
  'registry',
  'tuning',
  'traces',
  'tracking',
  'labeling',
  'features',
  'predictions',
  'datasets',
  'jobs',
  'approvals',
  'alerts',
  'artifacts',
  'secrets',
  'audit',
  'lineage',
  'identity',
  'projects',
];

export const moduleEdges: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  automation: {
    pipelines: 'starts what a trigger runs',
    alerts: 'knows the clock of an alert; tells of webhooks that cannot be delivered',
    secrets: 'keeps the keys of webhook signatures',
    lineage: 'makes what triggered a run its cause',
  },
  rollouts: {
    pipelines: 'answers the steps that wait for a rollout',
    deployments: 'splits traffic and reads what revisions did',
  },
  workspace: {
    artifacts: "keeps the snapshot's files",
    projects: 'sets the goal',
    lineage: 'what was applied came from a snapshot',
  },
  monitoring: {
    predictions: 'reads counts, rows and truth of the log',
    deployments: 'knows which model an endpoint follows',
    registry: 'knows which version is champion now',
    jobs: 'compares in a worker',
    alerts: 'opens and resolves incidents of drift and performance',
  },
  pipelines: {
    evaluation: 'has what it proposes judged; checks gates before they are applied',
    registry: 'proposes the version that a run has made',
    tracking: "gives each step a run of MLflow's",
    features: 'plans the point-in-time join before a step',
    datasets: 'reads versions; records outputs as versions',
    jobs: 'queues every step',
    approvals: 'asks a person before a run goes on',
    artifacts: 'keeps what steps leave behind',
    secrets: 'refuses a run whose secrets are missing; the cache key knows when one was replaced',
    lineage: 'writes what a step read and made',
  },
  evaluation: {
    registry: 'decides the checks of a promotion',
    tracking: 'knows the experiments of data sets and scorers; searches data sets by the same filter grammar',
    jobs: 'scores candidate and champion in a worker',
  },
  features: {
    datasets: 'reads the versions behind a view',
    jobs: 'joins in a worker',
  },
  predictions: {
    datasets: 'matches truth from the new parts of a dataset',
    jobs: 'turns deliveries into tables in a worker',
    lineage: 'answers the edges of a prediction from the log',
  },
  datasets: {
    jobs: 'reads, checks and describes in a worker',
    artifacts: 'keeps the parts of versions',
    alerts: 'tells of landings that were refused',
    lineage: 'a version came from its files and the version before',
  },
  deployments: {
    predictions: 'hands down revisions and the progress of replicas',
    registry: 'serves model versions',
  },
  traces: {
    tracking: 'belongs to an experiment, keeps files among its artifacts, speaks the same filter grammar',
    lineage: 'answers the edges of a trace from its links',
  },
  graphs: {
    registry: 'makes versions of a model out of versions of others',
  },
  registry: {
    tracking: 'searches models and versions by the same filter grammar',
  },
  jobs: {
    artifacts: 'keeps what attempts leave behind',
    secrets: 'reveals the secrets of a step into its environment, and masks them in its log',
    identity: 'gives each attempt a token of its own',
  },
  approvals: {
    lineage: 'a granted approval leads to what it approved',
  },
  alerts: {
    lineage: 'an incident names what led to it',
  },
};

/** Read models that join tables of another module, read-only: `<file> reads <module>`. */
export const foreignReads: readonly string[] = [];

export const heavyPackages: Readonly<Record<string, readonly string[]>> = {
  duckdb: ['@duckdb/node-api'],
  database: ['better-sqlite3', 'kysely', 'pg'],
  inference: ['onnxruntime-node'],
  server: ['fastify'],
  s3: ['@aws-sdk/client-s3', '@aws-sdk/s3-request-presigner'],
};

/** Entry points and what must not load with them. */
export const processes: Readonly<Record<string, { readonly without: readonly string[] }>> = {
  'src/cli/main.ts': { without: ['duckdb', 'database', 'inference', 'server', 's3'] },
  'src/app/control-plane.ts': { without: ['duckdb', 'inference', 's3'] },
  'src/serving/main.ts': { without: ['duckdb', 'database', 's3'] },
  'src/worker/main.ts': { without: ['database', 'server', 's3'] },
  'src/platform/processes/launcher.ts': { without: ['duckdb', 'database', 'inference', 'server', 's3'] },
};
