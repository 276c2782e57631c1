import { parseReference } from '#contracts/references';
import type { LineageApi } from '#modules/lineage';
import type { Reader } from '#platform/database';
import { type Html, html } from './html.ts';
import { card, none } from './parts.ts';
import type { Paths } from './paths.ts';

const stepsAway = 2;
const nodesAtOnce = 30;

/** What a record came from and what came of it, two steps each way. */
export async function lineageCard(
  deps: { readonly reader: Reader; readonly lineage: LineageApi; readonly paths: Paths },
  reference: string,
): Promise<Html> {
  const { reader, lineage, paths } = deps;
  const trace = (direction: 'up' | 'down') =>
    lineage.trace(reader, paths.project, reference, { direction, depth: stepsAway, limit: nodesAtOnce });
  const [up, down] = [await trace('up'), await trace('down')];
  const refs = (graph: typeof up): Html => {
    const others = graph.nodes.filter(({ ref }) => ref !== graph.root);
    if (others.length === 0) return none('Nothing.');
    return html`<ul class="refs">${others.map(({ ref }) => html`<li>${nodeLink(paths, ref)}</li>`)}</ul>
      ${graph.truncated && html`<p class="hint">More lies further away.</p>`}`;
  };
  return html`<div class="columns">
    ${card('Came from', refs(up))}
    ${card('Led to', refs(down))}
  </div>
  <p class="hint">The whole graph: <code>tidemill lineage '${up.root.replaceAll("'", '%27')}'${paths.option}</code></p>`;
}

function nodeLink(paths: Paths, reference: string): Html {
  const href = paths.reference(reference);
  const { kind, name, at } = parseReference(reference) ?? {};
  // for reading, so that signs of a name stand as they are
  const text = html`<code>${kind === undefined ? reference : `${kind}:${name}${at === undefined ? '' : `@${at}`}`}</code>`;
  return href === undefined ? text : html`<a href="${href}">${text}</a>`;
}
