import { isPicture, viewTypeOf } from '#contracts/viewable-files';
import type { TrackingApi } from '#modules/tracking';
import type { Reader } from '#platform/database';
import { trimSlashes } from '#platform/url-text';
import { type Html, html } from './html.ts';
import { bytesText, card, none } from './parts.ts';

/** A folder with ten thousand files is for a program. */
const entriesAtOnce = 300;
/** Pictures that come with the page. */
const picturesAtOnce = 12;
const largestPicture = 2_000_000;

/** What lies in one folder of a run or logged model, with links to the bytes. */
export async function artifactCard(
  reader: Reader,
  tracking: Pick<TrackingApi, 'artifactFolder'>,
  options: {
    readonly project: string;
    /** As MLflow says it: `mlflow-artifacts:/1/<run>/artifacts`. */
    readonly root: string;
    readonly folder: string | undefined;
    readonly toFolder: (path: string | undefined) => string;
    readonly toFile: (path: string) => string;
    /** To look at a picture or a text in the browser's window. */
    readonly toView?: (path: string) => string;
  },
): Promise<Html> {
  const { project, root, toFolder, toFile, toView } = options;
  const below = /^mlflow-artifacts:(?:\/\/[^/]*)?\/+(.*)$/s.exec(root)?.[1];
  if (below === undefined)
    return card(
      'Artifacts',
      html`<p class="none">They are at <code>${root}</code>, which clients read themselves.</p>`,
      'artifacts',
    );
  const base = trimSlashes(below);
  const folder = soundFolder(options.folder);
  const entries = await tracking.artifactFolder(reader, project, folder === '' ? base : `${base}/${folder}`);
  const shown = entries.slice(0, entriesAtOnce);
  const pictures =
    toView === undefined
      ? []
      : shown
          .filter(({ path, isFolder, sizeBytes }) => !isFolder && isPicture(path) && sizeBytes <= largestPicture)
          .slice(0, picturesAtOnce)
          .map(({ path }) => ({
            name: path.slice(path.lastIndexOf('/') + 1),
            url: toView(path.slice(base.length + 1)),
          }));
  const parts = folder === '' ? [] : folder.split('/');
  const way = html`<p class="line"><a href="${toFolder(undefined)}">top</a>${parts.map(
    (name, at) => html` / <a href="${toFolder(parts.slice(0, at + 1).join('/'))}">${name}</a>`,
  )}</p>`;
  return card(
    'Artifacts',
    html`${folder !== '' && way}
      ${shown.length === 0 && none(folder === '' ? 'No artifacts.' : 'Nothing lies in this folder.')}
      ${
        shown.length > 0 &&
        html`<table><caption class="skip">Files</caption><tbody>${shown.map(({ path, isFolder, sizeBytes }) => {
          const name = path.slice(path.lastIndexOf('/') + 1);
          const inside = path.slice(base.length + 1);
          return isFolder
            ? html`<tr><th scope="row"><a href="${toFolder(inside)}">${name}/</a></th><td class="number"></td></tr>`
            : html`<tr><th scope="row"><a href="${toFile(inside)}" download>${name}</a>${
                toView !== undefined &&
                viewTypeOf(name) !== undefined &&
                html` <a class="view" href="${toView(inside)}" aria-label="${`view ${name}`}">view</a>`
              }</th><td class="number">${bytesText(sizeBytes)}</td></tr>`;
        })}</tbody></table>`
      }
      ${
        pictures.length > 0 &&
        html`<div class="pictures">${pictures.map(
          ({ name, url }) =>
            html`<figure><a href="${url}"><img src="${url}" alt="${name}" loading="lazy" /></a><figcaption>${name}</figcaption></figure>`,
        )}</div>`
      }
      ${entries.length > shown.length && html`<p class="hint">${entries.length - shown.length} more are not shown.</p>`}`,
    'artifacts',
  );
}

/** The folder that a query names; the top for one that would leave it. */
function soundFolder(folder: string | undefined): string {
  const parts = (folder ?? '').split('/').filter((part) => part !== '' && part !== '.');
  return parts.includes('..') || /[\0\\]/.test(folder ?? '') ? '' : parts.join('/');
}
