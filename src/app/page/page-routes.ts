import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { registerRawRoute } from '#platform/http';
import { packagePath } from '#platform/package-path';

/** The page as it lies in `ui/`: plain HTML, CSS and modules, no build step. The same path from `src` and `dist`. */
const folder = packagePath('ui');

const files: Readonly<Record<string, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'records.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'open-link.js': 'text/javascript; charset=utf-8',
  'board.js': 'text/javascript; charset=utf-8',
  'cards.js': 'text/javascript; charset=utf-8',
  'chart.js': 'text/javascript; charset=utf-8',
  'dom.js': 'text/javascript; charset=utf-8',
  'format.js': 'text/javascript; charset=utf-8',
  'live.js': 'text/javascript; charset=utf-8',
  'standing.js': 'text/javascript; charset=utf-8',
  'words.js': 'text/javascript; charset=utf-8',
};

/** Nothing from elsewhere, nothing in line, in no frame of another page. */
const securityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

interface Asset {
  readonly body: Buffer;
  readonly etag: string;
}

/** `/` and `/projects/<project>`: the page. It holds nothing of its own; what it shows, it asks with the reader's token. */
export function registerPage(app: FastifyInstance): void {
  const known = new Map<string, Promise<Asset>>();

  function load(name: string): Promise<Asset> {
    const found = known.get(name);
    if (found !== undefined) return found;
    const asset = readFile(join(folder, name)).then((body) => ({
      body,
      etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    }));
    known.set(name, asset);
    asset.catch(() => known.delete(name));
    return asset;
  }

  async function send(name: string, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const { body, etag } = await load(name);
    void reply
      .header('content-security-policy', securityPolicy)
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer')
      .header('cache-control', 'no-cache')
      .header('etag', etag);
    if (request.headers['if-none-match'] === etag) return await reply.code(304).send();
    return await reply.type(files[name] ?? 'application/octet-stream').send(body);
  }

  for (const path of ['/', '/projects/:project', '/projects/:project/'])
    registerRawRoute(app, {
      id: 'page',
      method: 'GET',
      path,
      permission: 'public',
      handle: (request, reply) => send('index.html', request, reply),
    });
  for (const name of Object.keys(files))
    registerRawRoute(app, {
      id: 'page.asset',
      method: 'GET',
      path: `/ui/${name}`,
      permission: 'public',
      handle: (request, reply) => send(name, request, reply),
    });
}
