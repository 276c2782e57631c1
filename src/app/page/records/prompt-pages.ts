import { formatReference } from '#contracts/references';
import type { LineageApi } from '#modules/lineage';
import { type ModelVersion, promptTextOf, type RegisteredModel, type RegistryApi } from '#modules/registry';
import type { Reader } from '#platform/database';
import { type Html, html } from './html.ts';
import { lineageCard } from './lineage-card.ts';
import { card, cut, facts, instant, layout, none, pairTable, shorten } from './parts.ts';
import type { Paths } from './paths.ts';

interface Deps {
  readonly reader: Reader;
  readonly registry: RegistryApi;
  readonly lineage: LineageApi;
  readonly paths: Paths;
}

const rowsAtOnce = 100;
const longestText = 50_000;
/** Tags of clients that say how a prompt is kept; what it says has a card of its own. */
const inner = /^_?mlflow[._]prompt/;

interface Message {
  readonly role: string;
  readonly content: string;
}

const isMessage = (part: unknown): part is Message =>
  typeof part === 'object' &&
  part !== null &&
  'role' in part &&
  'content' in part &&
  typeof part.role === 'string' &&
  typeof part.content === 'string';

/** A chat prompt is kept as JSON; anything else is one template. */
function messagesOf(text: string): readonly Message[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const parts: unknown = JSON.parse(text);
    return Array.isArray(parts) && parts.length > 0 && parts.every(isMessage) ? parts : undefined;
  } catch {
    return undefined;
  }
}

function textCard(version: ModelVersion, title: string): Html {
  const text = promptTextOf(version);
  if (text === undefined) return card(title, none('Nothing is kept of what it says.'));
  const messages = messagesOf(text);
  return card(
    title,
    messages === undefined
      ? html`<pre class="said">${cut(text, longestText)}</pre>`
      : html`${messages
          .slice(0, rowsAtOnce)
          .map(
            ({ role, content }) => html`<h3>${shorten(role)}</h3><pre class="said">${cut(content, longestText)}</pre>`,
          )}
          ${messages.length > rowsAtOnce && html`<p class="hint">${messages.length - rowsAtOnce} more are not shown.</p>`}`,
  );
}

function tagCard(tags: RegisteredModel['tags']): Html | false {
  const shown = tags.filter(({ key }) => !inner.test(key)).slice(0, rowsAtOnce);
  return shown.length > 0 && card('Tags', pairTable('Tags', shown));
}

const promptsCrumb = (paths: Paths) => ({ text: 'prompts', href: paths.prompts });

export async function promptPage({ reader, registry, paths }: Deps, prompt: RegisteredModel): Promise<string> {
  const found = await registry.versions(reader, paths.project, prompt.name, { limit: rowsAtOnce, cursor: undefined });
  const versions = found?.items ?? [];
  const [newest] = versions;
  const body = html`<div class="headline"><h1>${prompt.name}</h1></div>
    ${facts([
      ['created', instant(prompt.createdMs)],
      ['aliases', prompt.aliases.map(({ alias, version }) => `@${alias} → ${version}`).join(', ')],
    ])}
    ${prompt.description !== '' && html`<p class="note">${prompt.description.slice(0, 5000)}</p>`}
    ${newest !== undefined && textCard(newest, `Newest: version ${newest.version}`)}
    ${card(
      'Versions',
      versions.length === 0
        ? none('No version yet.')
        : html`<div class="scroll"><table><caption class="skip">Versions</caption>
          <thead><tr><th scope="col">version</th><th scope="col">aliases</th><th scope="col">message</th><th scope="col">by</th><th scope="col">registered</th></tr></thead>
          <tbody>${versions.map(
            ({
              version,
              aliases,
              description,
              createdBy,
              createdMs,
            }) => html`<tr><th scope="row"><a href="${paths.promptVersion(prompt.name, version)}">Version ${version}</a></th>
              <td>${aliases.map((alias) => `@${alias}`).join(', ')}</td><td>${shorten(description)}</td><td>${createdBy}</td><td>${instant(createdMs)}</td></tr>`,
          )}</tbody></table></div>
          ${found?.next !== undefined && html`<p class="hint">Older ones are not shown: <code>tidemill prompt versions ${prompt.name} --all${paths.option}</code></p>`}`,
    )}
    ${tagCard(prompt.tags)}`;
  return layout(paths, [promptsCrumb(paths), { text: prompt.name }], body);
}

export async function promptVersionPage(deps: Deps, version: ModelVersion): Promise<string> {
  const { paths } = deps;
  const body = html`<div class="headline"><h1>${version.model}, version ${version.version}</h1>${version.aliases.map((alias) => html`<span class="badge good">@${alias}</span>`)}</div>
    ${facts([
      ['registered', instant(version.createdMs)],
      ['by', version.createdBy],
    ])}
    ${version.description !== '' && html`<p class="note">${version.description.slice(0, 5000)}</p>`}
    ${textCard(version, 'What it says')}
    ${tagCard(version.tags)}
    ${await lineageCard(deps, formatReference('model', version.model, version.version))}`;
  return layout(
    paths,
    [
      promptsCrumb(paths),
      { text: version.model, href: paths.prompt(version.model) },
      { text: `version ${version.version}` },
    ],
    body,
  );
}
