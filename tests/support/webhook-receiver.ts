import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface ReceivedPost {
  readonly headers: IncomingHttpHeaders;
  /** As it came, byte for byte: what was signed. */
  readonly body: string;
}

export interface WebhookReceiver {
  readonly url: string;
  readonly received: readonly ReceivedPost[];
  /** How the next posts are answered; without an answer they hang. */
  answer(how: (response: ServerResponse) => void): void;
}

const taken = (response: ServerResponse): void => void response.writeHead(204).end();

/** A receiver of webhooks on loopback, which answers 204 unless told otherwise; closed when the test ends. */
export async function openWebhookReceiver(): Promise<WebhookReceiver> {
  const received: ReceivedPost[] = [];
  let answer = taken;
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      received.push({ headers: request.headers, body });
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/hook`, received, answer: (how) => void (answer = how) };
}
