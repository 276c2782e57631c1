import type { Logger } from '#platform/log';
import type { Endpoint } from '../endpoint.ts';
import type { EndpointTable } from '../endpoint-table.ts';

/** Has the log say, from now on, which version of a model answers in the place of which: whoever replaces a file waits for it. */
export function tellSwaps(table: EndpointTable, logger: Logger): void {
  const answering = new Map<string, { readonly id: string; readonly version: string }>();
  const look = (tell: (endpoint: Endpoint, version: string, before: string | undefined) => void) => {
    for (const endpoint of table.list()) {
      const now = endpoint.serving?.traffic.find(({ basisPoints }) => basisPoints > 0)?.target;
      const before = answering.get(endpoint.name);
      if (now === undefined) answering.delete(endpoint.name);
      else if (now.id !== before?.id) {
        answering.set(endpoint.name, { id: now.id, version: now.version });
        tell(endpoint, now.version, before?.version);
      }
    }
  };
  look(() => undefined);
  table.onChange(() =>
    look(({ name }, version, before) => {
      const instead = before === version ? ' from its new files' : before === undefined ? '' : `, before it ${before}`;
      logger.info({ endpoint: name, version }, `model "${name}": version ${version} answers now${instead}`);
    }),
  );
}
