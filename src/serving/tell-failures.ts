import type { Logger } from '#platform/log';
import type { Endpoint } from './endpoint.ts';
import type { EndpointTable } from './endpoint-table.ts';

/** Has the log say once why an endpoint is not served as it is described, from now on, and when it is again. */
export function tellFailures(table: EndpointTable, logger: Logger): void {
  /** What the log has. */
  const told = new WeakMap<Endpoint, string>();
  const tell = () => {
    for (const endpoint of table.list()) {
      const { project, name, state, error } = endpoint;
      const before = told.get(endpoint);
      if (error !== undefined && error !== before) {
        logger.warn({ project, endpoint: name, state }, error);
        told.set(endpoint, error);
      } else if (before !== undefined && state === 'ready') {
        // until then it is tried again, and fails most often for the same reason
        logger.info({ project, endpoint: name }, 'all that is described is served again');
        told.delete(endpoint);
      }
    }
  };
  tell();
  table.onChange(tell);
}
