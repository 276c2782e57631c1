import { formatReference, parseReference } from '#contracts/references';
import { listLinkedTraces, listLinks } from './pair-store.ts';
import type { TracesDeps } from './traces-deps.ts';
import type { LinkRow } from './traces-tables.ts';

/** The reference of what a trace came from; undefined when what a client sent can be none. */
function referenceOf({ kind, target }: Pick<LinkRow, 'kind' | 'target'>): string | undefined {
  const [name = '', version] = kind === 'prompt' ? target.split('/') : [target];
  const text =
    kind === 'run'
      ? formatReference('tracking-run', name)
      : kind === 'logged-model'
        ? formatReference('logged-model', name)
        : formatReference('model', name, version);
  return parseReference(text) === undefined ? undefined : text;
}

const edgeKinds = { run: 'produced', 'logged-model': 'answered', prompt: 'used' } as const;

/** Traces are as many as requests: their edges are answered from the links, not written a second time. */
export function registerLineage({ lineage }: TracesDeps): void {
  lineage.registerResolver('trace', async (reader, project, name, { direction, limit }) => {
    if (direction === 'down') return { edges: [] };
    const links = await listLinks(reader, project, name, limit);
    return {
      edges: links.flatMap((link) => {
        const from = referenceOf(link);
        return from === undefined ? [] : [{ from, to: formatReference('trace', name), kind: edgeKinds[link.kind] }];
      }),
    };
  });
  for (const [kind, of] of [
    ['run', 'tracking-run'],
    ['logged-model', 'logged-model'],
  ] as const)
    lineage.registerResolver(of, async (reader, project, name, { direction, limit }) => {
      if (direction === 'up') return { edges: [] };
      const { traceIds, total } = await listLinkedTraces(reader, project, kind, name, limit);
      const from = formatReference(of, name);
      return {
        edges: traceIds.map((id) => ({ from, to: formatReference('trace', id), kind: edgeKinds[kind] })),
        ...(total > traceIds.length && { total }),
      };
    });
}
