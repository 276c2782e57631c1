import { toRfc3339 } from '#contracts/rfc3339';
import { type Html, html } from './html.ts';
import { type Paths, withQuery } from './paths.ts';

export interface Crumb {
  readonly text: string;
  readonly href?: string;
}

/** A whole page. Nothing in it is a script: it is there when it has arrived. */
export function layout(paths: Paths, crumbs: readonly Crumb[], body: Html): string {
  const title = crumbs.at(-1)?.text ?? paths.project;
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${title} · Tidemill</title>
    <link rel="icon" href="/ui/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/ui/page.css" />
    <link rel="stylesheet" href="/ui/records.css" />
  </head>
  <body>
    <a class="skip" href="#record">Skip to the content</a>
    <header class="top">
      <a class="brand" href="${paths.home}"><img src="/ui/icon.svg" alt="" width="28" height="28" /><span>Tidemill</span></a>
      <nav class="crumbs" aria-label="Where you are">
        <ol>${[{ text: paths.project, href: paths.home }, ...crumbs].map(({ text, href }, at) => crumb(text, at === crumbs.length ? undefined : href))}</ol>
      </nav>
      <nav class="rooms" aria-label="Records">
        <ul>
          <li><a href="${paths.experiments}">Experiments</a></li>
          <li><a href="${paths.models}">Models</a></li>
          <li><a href="${paths.prompts}">Prompts</a></li>
          <li><a href="${paths.allTraces}">Traces</a></li>
        </ul>
      </nav>
    </header>
    <main id="record" tabindex="-1">${body}</main>
  </body>
</html>
`.text;
}

const crumb = (text: string, href: string | undefined): Html =>
  href === undefined ? html`<li aria-current="page">${text}</li>` : html`<li><a href="${href}">${text}</a></li>`;

export const card = (title: string, body: Html, id?: string): Html =>
  html`<section class="card wide"${id === undefined ? '' : html` id="${id}"`}><h2>${title}</h2>${body}</section>`;

export const none = (text: string): Html => html`<p class="none">${text}</p>`;

export const instant = (ms: number | undefined): Html => timeOf(ms, 'YYYY-MM-DD hh:mm:ss'.length);

/** With milliseconds, for what happens many times a second. */
export const moment = (ms: number | undefined): Html => timeOf(ms, 'YYYY-MM-DD hh:mm:ss.mmm'.length);

const timeOf = (ms: number | undefined, length: number): Html =>
  ms === undefined || !Number.isFinite(ms) || Math.abs(ms) > 8.64e15
    ? html`<span class="none">–</span>`
    : html`<time datetime="${toRfc3339(ms)}">${toRfc3339(ms).slice(0, length).replace('T', ' ')} UTC</time>`;

const tones: Readonly<Record<string, string>> = {
  FINISHED: 'good',
  LOGGED_MODEL_READY: 'good',
  READY: 'good',
  OK: 'good',
  RUNNING: 'busy',
  IN_PROGRESS: 'busy',
  SCHEDULED: 'busy',
  LOGGED_MODEL_PENDING: 'busy',
  FAILED: 'bad',
  ERROR: 'bad',
  LOGGED_MODEL_UPLOAD_FAILED: 'bad',
  KILLED: 'warn',
  deleted: 'bad',
};

export const badge = (text: string): Html =>
  html`<span class="badge ${tones[text] ?? ''}">${text
    .replace(/^LOGGED_MODEL_/, '')
    .replaceAll('_', ' ')
    .toLowerCase()}</span>`;

/** What is longer is cut: a page is for looking, the API has the whole. */
const longest = 500;
export const shorten = (text: string): string => cut(text, longest);
export const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most)}…` : text);

export function numberText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞';
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return value.toLocaleString('en-US');
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(4) : String(Number(value.toPrecision(6)));
}

export function bytesText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const at = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${at === 0 ? bytes : (bytes / 1000 ** at).toFixed(1)} ${units[at]}`;
}

export function durationText(ms: number): string {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export const facts = (pairs: readonly (readonly [string, Html | string | undefined])[]): Html =>
  html`<dl class="facts">${pairs.map(
    ([name, value]) => value !== undefined && value !== '' && html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl>`;

export const pairTable = (caption: string, pairs: readonly { readonly key: string; readonly value: string }[]): Html =>
  html`<table class="pairs"><caption class="skip">${caption}</caption><tbody>${pairs.map(
    ({ key, value }) => html`<tr><th scope="row">${key}</th><td>${shorten(value)}</td></tr>`,
  )}</tbody></table>`;

/** Links to the pages of a long list beside this one. */
export function pager(options: {
  readonly path: string;
  readonly query: Readonly<Record<string, string | number | undefined>>;
  /** The query's field that counts. */
  readonly field: string;
  readonly offset: number;
  readonly size: number;
  readonly shown: number;
  /** Of how many; undefined when it was not counted. */
  readonly total?: number | undefined;
  readonly more: boolean;
  readonly anchor?: string;
}): Html {
  const { path, query, field, offset, size, shown, total, more, anchor } = options;
  if (offset === 0 && !more) return html``;
  const to = (start: number) =>
    `${withQuery(path, { ...query, [field]: start === 0 ? undefined : start })}${anchor === undefined ? '' : `#${anchor}`}`;
  const of = total === undefined ? '' : ` of ${total.toLocaleString('en-US')}`;
  return html`<p class="pager">${offset > 0 && html`<a rel="prev" href="${to(Math.max(0, offset - size))}">← previous</a>`}
    <span>${shown === 0 ? 'none here' : `${offset + 1}–${offset + shown}${of}`}</span>
    ${more && html`<a rel="next" href="${to(offset + size)}">next →</a>`}</p>`;
}

/** A count that a query holds; 0 for anything that is none. */
export const countIn = (value: unknown): number =>
  typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : 0;

/** Texts that a query has one after the other, or in one with commas between. */
export const textsIn = (value: unknown): readonly string[] =>
  [value].flat().flatMap((one) => (typeof one === 'string' ? one.split(',').filter((text) => text !== '') : []));

export const textIn = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;
