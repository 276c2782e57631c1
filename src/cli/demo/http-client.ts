import { Agent, request } from 'node:http';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** A client of many small requests to one server, over connections that stay open: a third of the CPU time of `fetch`. */
export interface HttpClient {
  get(url: string): Promise<HttpAnswer>;
  postJson(url: string, body: unknown): Promise<HttpAnswer>;
  close(): void;
}

export function createHttpClient(options: {
  readonly connections: number;
  /** Sent as a bearer token. */
  readonly token: string | undefined;
  readonly signal: AbortSignal;
}): HttpClient {
  const agent = new Agent({ keepAlive: true, maxSockets: options.connections });

  function send(method: 'GET' | 'POST', url: string, body?: string): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const headers = {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(options.token !== undefined && { authorization: `Bearer ${options.token}` }),
      };
      const asked = request(url, { method, agent, headers, signal: options.signal }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.once('error', reject);
        answer.once('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      });
      asked.once('error', reject);
      asked.end(body);
    });
  }

  return {
    get: (url) => send('GET', url),
    postJson: (url, body) => send('POST', url, JSON.stringify(body)),
    close: () => agent.destroy(),
  };
}
