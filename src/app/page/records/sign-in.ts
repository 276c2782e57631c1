import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isAppError } from '#platform/errors';
import {
  type Authenticate,
  isPlainToken,
  receiveBody,
  registerRawRoute,
  sessionCookie,
  tokenInCookie,
} from '#platform/http';
import { dress } from './dress.ts';
import { type Html, html } from './html.ts';
import { layout, textIn } from './parts.ts';
import { pathsOf } from './paths.ts';

const path = '/ui/sign-in';
const longestBody = 16 * 1024;

/** A place on this very server, to go to after signing in; anything else is the front page. */
export function placeIn(value: unknown): string {
  const to = textIn(value) ?? '/';
  // a browser reads //host and /\host as another server, and leaves tabs and line ends out
  return /^\/(?![/\\])[\x21-\x7e]*$/.test(to) && to.length <= 4096 ? to : '/';
}

/** The form that asks for a token: in place of a page that needs one, and at an address of its own. */
export function signInPage(reply: FastifyReply, to: string, problem?: string): string {
  return formPage(
    reply,
    to,
    html`<h1>This server asks for a token</h1>
      ${problem !== undefined && html`<p class="error" role="alert">${problem}</p>`}
      <form method="post" action="${path}">
        <input type="hidden" name="to" value="${to}" />
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autocomplete="off" required autofocus />
        <button type="submit">Open</button>
      </form>
      <p class="hint">The first admin's token lies in the file <code>admin-token</code> of the server's home folder;
        <code>tidemill token create</code> makes others. This browser keeps it until it is closed, or signed out.</p>`,
  );
}

function formPage(reply: FastifyReply, to: string, body: Html): string {
  const project = /^\/projects\/([\w.-]+)/.exec(to)?.[1] ?? 'default';
  // without a referrer a form is sent as from nowhere, and would be refused
  dress(reply).header('referrer-policy', 'same-origin');
  return layout(pathsOf(project), [{ text: 'sign in' }], html`<div class="empty">${body}</div>`);
}

export function registerSignIn(app: FastifyInstance, authenticate: Authenticate): void {
  registerRawRoute(app, {
    id: 'page.sign-in',
    method: 'GET',
    path,
    permission: 'public',
    handle: async (request, reply) => {
      const to = placeIn((request.query as Readonly<Record<string, unknown>>)['to']);
      if ((await whoIs(request)) !== undefined)
        return formPage(reply, to, html`<h1>This server asks for no token</h1><p><a href="${to}">Go on</a></p>`);
      const token = tokenInCookie(request.method, request.headers);
      const known = token === undefined ? undefined : await whoIs(request, token);
      if (known === undefined) return signInPage(reply, to);
      return formPage(
        reply,
        to,
        html`<h1>You are signed in</h1>
          <p>The server knows you as <code>${known}</code>. <a href="${to}">Go on</a></p>
          <form method="post" action="${path}">
            <input type="hidden" name="to" value="${to}" />
            <button type="submit" name="out" value="yes">Sign out</button>
          </form>`,
      );
    },
  });

  registerRawRoute(app, {
    id: 'page.signed-in',
    method: 'POST',
    path,
    permission: 'public',
    body: 'stream',
    handle: async (request, reply) => {
      const fields = await readForm(request, reply);
      const to = placeIn(fields.get('to') ?? undefined);
      if (fields.get('out') !== null)
        return await reply
          .header('set-cookie', sessionCookie(request.headers, undefined))
          .redirect(`${path}?to=${encodeURIComponent(to)}`, 303);
      const token = (fields.get('token') ?? '').trim();
      const known = isPlainToken(token) ? await whoIs(request, token) : undefined;
      if (known === undefined) {
        void reply.status(401).header('www-authenticate', 'Bearer');
        return signInPage(reply, to, 'The token is unknown, expired or revoked.');
      }
      return await reply.header('set-cookie', sessionCookie(request.headers, token)).redirect(to, 303);
    },
  });

  /** Whom a token stands for, or a caller without one; undefined when it is nobody's. */
  async function whoIs({ ip }: FastifyRequest, token?: string): Promise<string | undefined> {
    try {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      return (await authenticate({ headers, ip })).id;
    } catch (error) {
      if (isAppError(error) && error.kind === 'unauthenticated') return undefined;
      throw error;
    }
  }
}

async function readForm(request: FastifyRequest, reply: FastifyReply): Promise<URLSearchParams> {
  const chunks: Uint8Array[] = [];
  await receiveBody(request, reply, { maxBytes: longestBody }, async (source) => {
    for await (const chunk of source) chunks.push(chunk);
  });
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}
