import { type Html, html } from './html.ts';

/** Names of what is shown of each run. */
export interface Columns {
  readonly metrics: readonly string[];
  readonly params: readonly string[];
}

/** More of a kind make a page that nobody reads. */
const mostColumns = 20;

/** Those that a query names (`metrics.auc`, `params.depth`); undefined when it names none. */
export function chooseColumns(named: readonly string[]): Columns | undefined {
  const of = (kind: string) =>
    [...new Set(named.filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length)))].slice(
      0,
      mostColumns,
    );
  const [metrics, params] = [of('metrics.'), of('params.')];
  return metrics.length + params.length === 0 ? undefined : { metrics, params };
}

/** Boxes to tick, inside the form that asks for the list; those that are not shown are counted. */
export function columnsForm(offered: Columns, shown: Columns): Html {
  const boxes = (kind: keyof Columns) =>
    [...new Set([...shown[kind], ...offered[kind]])]
      .filter((key) => !key.includes(',')) // which parts the names in the query
      .map(
        (key) =>
          html`<label><input type="checkbox" name="columns" value="${kind}.${key}"${shown[kind].includes(key) ? html` checked` : ''} /> ${key}</label>`,
      );
  const more = (['metrics', 'params'] as const).flatMap((kind) =>
    offered[kind].filter((key) => !shown[kind].includes(key)),
  ).length;
  if (offered.metrics.length + offered.params.length === 0) return html``;
  return html`<details class="columns-choice"><summary>Columns${more > 0 ? ` (and ${more} more)` : ''}</summary>
    ${(['metrics', 'params'] as const).map((kind) => html`<fieldset><legend>${kind}</legend>${boxes(kind)}</fieldset>`)}</details>`;
}
