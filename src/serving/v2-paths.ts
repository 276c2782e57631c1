import { decodeUrlText } from '#platform/url-text';

/** What a path of the Open Inference Protocol asks for; `project` comes from a `/projects/<p>` in front, else `default`. */
export type V2Route =
  | { readonly kind: 'index' | 'server' | 'live' | 'ready' }
  | {
      readonly kind: 'metadata' | 'model-ready' | 'infer';
      readonly project: string;
      readonly model: string;
      readonly version: string | undefined;
    };

/** Where a model answers; the project `default` needs no prefix. */
export const pathOfModel = ({ project, name }: { readonly project: string; readonly name: string }): string =>
  `${project === 'default' ? '' : `/projects/${encodeURIComponent(project)}`}/v2/models/${encodeURIComponent(name)}`;

/** Undefined when there is nothing at this path. The query is ignored, as the protocol has none. */
export function parseV2Path(url: string): V2Route | undefined {
  const path = url.split('?', 1)[0] ?? url;
  let parts: string[] = [];
  for (const part of path.split('/').slice(1)) {
    const text = decodeUrlText(part);
    if (text === undefined) return undefined;
    parts.push(text);
  }
  let project = 'default';
  if (parts[0] === 'projects' && parts[1] !== undefined) {
    project = parts[1];
    parts = parts.slice(2);
  }
  if (parts.at(-1) === '') parts.pop();
  const [v2, noun, name, ...rest] = parts;
  if (v2 !== 'v2') return undefined;
  if (noun === undefined) return { kind: 'server' };
  if (noun === 'health' && rest.length === 0 && (name === 'live' || name === 'ready')) return { kind: name };
  if (noun !== 'models' || name === undefined || name === '') return undefined;
  let version: string | undefined;
  if (rest[0] === 'versions') {
    version = rest[1];
    if (version === undefined || version === '') return undefined;
    rest.splice(0, 2);
  }
  if (rest.length > 1) return undefined;
  if (rest[0] === undefined) return { kind: 'metadata', project, model: name, version };
  if (rest[0] === 'ready') return { kind: 'model-ready', project, model: name, version };
  if (rest[0] === 'infer') return { kind: 'infer', project, model: name, version };
  return undefined;
}
