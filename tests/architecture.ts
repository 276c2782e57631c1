/** The architecture as data: who may import whom, and why. Adding a line here is a decision for review. */

export interface FolderRule {
  readonly imports: readonly string[];
  /** Allowed by dynamic import only. */
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
  cli: { imports: ['sdk', 'contracts'], lazily: ['app'] },
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
    deployments: 'splits traffic and reads what revisions did',
  },
  deployments: {
    predictions: 'hands down revisions and the progress of replicas',
    registry: 'serves model versions',
  },
  registry: {
    tracking: 'searches models and versions by the same filter grammar',
  },
  jobs: {
    artifacts: 'keeps what attempts leave behind',
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
};

/** Entry points and what must not load with them. */
export const processes: Readonly<Record<string, { readonly without: readonly string[] }>> = {
  'src/cli/main.ts': { without: ['duckdb', 'database', 'inference', 'server'] },
  'src/app/control-plane.ts': { without: ['duckdb', 'inference'] },
  'src/serving/main.ts': { without: ['duckdb', 'database'] },
  'src/worker/main.ts': { without: ['database', 'server'] },
};
