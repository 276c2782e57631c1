import type { DeploymentSpec, SpecEndpoint } from '#contracts/deployment-spec';
import type { Logger } from '#platform/log';
import { createEndpoint, type Endpoint, type LoadRevision } from './endpoint.ts';
import type { FileStore } from './file-store.ts';
import type { LastGood } from './last-good.ts';

/** All endpoints of the pool, brought to each spec that arrives. */
export interface EndpointTable {
  find(project: string, name: string): Endpoint | undefined;
  list(): readonly Endpoint[];
  /** The newest spec that was taken over. */
  readonly spec: DeploymentSpec | undefined;
  /** True once the first spec has been brought in force, as far as it could be. */
  readonly settled: boolean;
  apply(spec: DeploymentSpec): Promise<void>;
  onChange(listener: () => void): void;
  close(): Promise<void>;
}

export function createEndpointTable(deps: {
  readonly load: LoadRevision;
  readonly files: FileStore;
  readonly logger: Logger;
  readonly lastGood?: LastGood;
}): EndpointTable {
  const { load, files, logger, lastGood } = deps;
  const endpoints = new Map<string, Endpoint>();
  const listeners: (() => void)[] = [];
  let spec: DeploymentSpec | undefined;
  let settled = false;
  /** Of each endpoint, the warnings that the log has already. */
  const told = new WeakMap<Endpoint, readonly string[]>();

  function tellWarnings(): void {
    for (const endpoint of endpoints.values()) {
      const { warnings } = endpoint;
      for (const warning of warnings)
        if (told.get(endpoint)?.includes(warning) !== true)
          logger.warn({ project: endpoint.project, endpoint: endpoint.name }, warning);
      told.set(endpoint, warnings);
    }
  }

  const changed = () => {
    tellWarnings();
    for (const listener of listeners) listener();
  };

  const create = (described: SpecEndpoint): Endpoint =>
    createEndpoint(described, {
      load,
      changed,
      lastGood: lastGood?.find(described),
      inForce: (inForce) => lastGood?.keep(inForce),
    });

  return {
    find: (project, name) => endpoints.get(`${project}/${name}`),
    list: () => [...endpoints.values()],
    get spec() {
      return spec;
    },
    get settled() {
      return settled;
    },
    async apply(next) {
      spec = next;
      const wanted = new Map(next.endpoints.map((endpoint) => [`${endpoint.project}/${endpoint.name}`, endpoint]));
      for (const [key, endpoint] of endpoints) {
        if (wanted.has(key)) continue;
        endpoints.delete(key);
        lastGood?.forget(endpoint.spec);
        endpoint.remove().catch((error: unknown) => logger.error({ err: error }, 'an endpoint could not be removed'));
      }
      const following = [...wanted].map(([key, described]) => {
        const endpoint = endpoints.get(key) ?? create(described);
        endpoints.set(key, endpoint);
        return endpoint.follow(described);
      });
      changed();
      await Promise.all(following);
      settled = true;
      changed();
      // What the last good states still need stays: only a spec that is wholly in force lets files go.
      if (spec === next && [...endpoints.values()].every(({ state }) => state === 'ready' || state === 'waiting'))
        await files.collect(next.endpoints.flatMap(({ revisions }) => revisions));
    },
    onChange(listener) {
      listeners.push(listener);
    },
    async close() {
      await Promise.all([...endpoints.values()].map((endpoint) => endpoint.remove()));
    },
  };
}
