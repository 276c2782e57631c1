import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { ErrorKind } from '#platform/errors';
import { decodeUrlText } from '#platform/url-text';

/** A request of node:http, or one that is plain and whole. */
export type RestRequest =
  | IncomingMessage
  | (Pick<IncomingMessage, 'method' | 'url'> & {
      readonly headers: IncomingHttpHeaders;
      readonly body: Buffer;
    });

/** What routes need of an answer, as node:http has it. */
export interface RestResponse {
  readonly statusCode: number;
  readonly headersSent: boolean;
  /** The connection is gone. */
  readonly destroyed: boolean;
  setHeader(name: string, value: string | number): void;
  /** A list has names and values in turn. */
  writeHead(status: number, headers: string[] | Record<string, string | number>): void;
  end(body: string | Buffer, encoding: 'latin1' | 'utf8'): void;
  /** `close` comes after each answer, or without one. */
  once(event: 'finish' | 'close', listener: () => void): void;
  destroy(): void;
}

/** One request on its way through the listener. */
export interface RestCall {
  readonly request: RestRequest;
  readonly response: RestResponse;
  /** From a `/projects/<p>` in front of the path, else `default`. */
  readonly project: string;
  /** What stands at `{model}` and `{version}` of the route's path; a path without them never reads them. */
  readonly model: string;
  readonly version: string | undefined;
  /** The path of its route, with what it names still open. */
  readonly route: string;
}

export interface RestRoute {
  readonly method: 'GET' | 'POST';
  /**
   * `/v2/models/{model}[/versions/{version}]/infer`: `{name}` is one segment or a part of it, `[…]` may be absent. Also
   * reached behind `/projects/<p>`, unless it is `rootOnly`.
   */
  readonly path: string;
  readonly rootOnly?: true;
  handle(call: RestCall): void | Promise<void>;
  /** Its answers are given whole, so that requests may come past node:http; default: false. */
  readonly mayBePlain?: true;
  /** How its protocol words a refusal; default `{"error": message}`. */
  readonly formatRefusal?: (kind: ErrorKind, message: string) => unknown;
}

/** Where a URL leads: its routes by method, and what it names. */
export interface RouteMatch {
  readonly project: string;
  readonly model: string;
  readonly version: string | undefined;
  readonly routes: readonly RestRoute[];
}

/** Makes the finder of routes. The query of a URL is ignored, a slash at its end too. */
export function createRouteFinder(routes: readonly RestRoute[]): (url: string) => RouteMatch | undefined {
  const patterns = new Map<string, { readonly pattern: RegExp; readonly routes: RestRoute[] }>();
  for (const route of routes) {
    const known = patterns.get(route.path) ?? { pattern: toPattern(route), routes: [] };
    known.routes.push(route);
    patterns.set(route.path, known);
  }
  const compiled = [...patterns.values()];

  return (url) => {
    const [path = ''] = url.split('?', 1);
    if (path.length > maxPathLength) return undefined;
    for (const { pattern, routes: found } of compiled) {
      const groups = pattern.exec(path)?.groups;
      if (groups === undefined) continue;
      const project = decodeUrlText(groups['project'] ?? 'default');
      const model = decodeUrlText(groups['model'] ?? '');
      const version = groups['version'] === undefined ? undefined : (decodeUrlText(groups['version']) ?? '');
      if (project === undefined || model === undefined || version === '') return undefined;
      return { project, model, version, routes: found };
    }
    return undefined;
  };
}

const maxPathLength = 4_096;

function toPattern({ path, rootOnly }: RestRoute): RegExp {
  const source = path
    .replaceAll('.', '\\.')
    .replaceAll('[', '(?:')
    .replaceAll(']', ')?')
    .replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)');
  const prefix = rootOnly === true ? '(?<root>)' : '(?:/projects/(?<project>[^/]+))?';
  return new RegExp(`^${prefix}${source === '/' ? '/' : `${source}/?`}$`);
}
