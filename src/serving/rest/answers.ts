import { packBody } from './content-coding.ts';
import type { RestCall, RestResponse } from './rest-route.ts';

const json = 'application/json';

/** Names and values by turns, as node:http takes them without looking at each twice. */
export type HeaderList = readonly string[];

/** Answers JSON as it is. */
export function sendJson(response: RestResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': json, 'content-length': Buffer.byteLength(text) });
  response.end(text, 'utf8');
}

/** Below this many characters or bytes nobody need look whether packing pays. */
const surelySmall = 5_000;

/** Answers a text or bytes, packed where the caller asks for it and it pays. */
export function sendBody(
  { request, response }: RestCall,
  body: string | Buffer,
  headers: HeaderList,
): void | Promise<void> {
  const accepted = request.headers['accept-encoding'];
  if (accepted === undefined || body.length < surelySmall) return sendAsIs(response, body, headers);
  return sendPacked(response, typeof body === 'string' ? Buffer.from(body) : body, headers, accepted);
}

async function sendPacked(response: RestResponse, body: Buffer, headers: HeaderList, accepted: string): Promise<void> {
  const packed = await packBody(body, accepted);
  if (packed === undefined) return sendAsIs(response, body, headers);
  sendAsIs(response, packed.body, [...headers, 'content-encoding', packed.coding, 'vary', 'accept-encoding']);
}

function sendAsIs(response: RestResponse, body: string | Buffer, headers: HeaderList): void {
  const bytes = Buffer.byteLength(body);
  response.writeHead(200, [...headers, 'content-length', String(bytes)]);
  response.end(body, bytes === body.length ? 'latin1' : 'utf8'); // ASCII is copied as it lies
}

/** Answers server-sent events, each with one JSON text; for a model that answers once there is one. */
export function sendEvents(response: RestResponse, events: readonly string[], headers: HeaderList): void {
  response.writeHead(200, [
    ...headers,
    'content-type',
    'text/event-stream; charset=utf-8',
    'cache-control',
    'no-store',
  ]);
  response.end(events.map((event) => `data: ${event}\n\n`).join(''), 'utf8');
}
