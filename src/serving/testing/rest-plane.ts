import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { expect } from 'vitest';
import type { ReplicaReport } from '#contracts/replica-report';
import type { DataPlane } from '../data-plane.ts';
import { binaryRequest } from './binary-request.ts';
import { type FakeControlPlane, startFakeControlPlane } from './fake-control-plane.ts';
import {
  aHome,
  anEndpoint,
  columnsSignature,
  echoRevision,
  fixture,
  startTestPlane,
  type TestAnswer,
} from './test-plane.ts';

/** The longest body that the plane of `RestPlane` takes. */
export const maxBodyBytes = 200_000;

/** A data plane with a model for each thing that can be seen of the REST listener, and ways to ask it. */
export interface RestPlane {
  readonly control: FakeControlPlane;
  readonly base: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** A GET without a body, else a POST, unless another method is named. */
  call(path: string, body?: unknown, headers?: Record<string, string>, method?: string): Promise<RestAnswer>;
  infer(model: string, body: unknown, headers?: Record<string, string>): Promise<RestAnswer>;
  /** With the JSON in front and the bytes of binary inputs behind it. */
  inferBinary(model: string, header: unknown, ...chunks: readonly Uint8Array[]): Promise<Response>;
  /** The JSON of an answer with 200. */
  answered(path: string, body?: unknown): Promise<TestAnswer['json']>;
  /** Server-sent events of an answer, read. */
  events(path: string, body: unknown): Promise<readonly unknown[]>;
  /** An answer as it lies on the wire: fetch unpacks it. */
  raw(model: string, body: unknown, accepted: string): Promise<{ readonly head: string; readonly body: Buffer }>;
}

export interface RestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: TestAnswer['json'];
}

const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/** As far as each model can come. */
const settles = ({ name, state }: ReplicaReport['endpoints'][number]) =>
  state === { held: 'loading', broken: 'failed', waiting: 'waiting' }[name] || state === 'ready';

export function createRestPlane(): RestPlane {
  let control: FakeControlPlane;
  let plane: DataPlane;
  let base: string;
  let letGo: () => void;

  async function call(path: string, body?: unknown, headers: Record<string, string> = {}, method = 'POST') {
    const payload = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    const response = await fetch(`${base}${path}`, {
      method: body === undefined && method === 'POST' ? 'GET' : method,
      headers,
      ...(body !== undefined && { body: payload as string }),
    });
    const text = await response.text();
    const json = (text === '' ? undefined : parse(text)) as TestAnswer['json'];
    return { status: response.status, headers: response.headers, text, json };
  }

  return {
    get control() {
      return control;
    },
    get base() {
      return base;
    },
    async start() {
      control = await startFakeControlPlane();
      const revision = (id: string, file: string, more = {}) => control.revision(id, fixture(file), more);
      const single = (name: string, file: string, more = {}) => anEndpoint([revision(name, file)], { name, ...more });
      const tokens = [
        { digest: digestOf('right'), principal: 'token:t1' },
        { digest: digestOf('ended'), principal: 'token:t2', expiresAtMs: Date.now() },
      ];
      const held = revision('held', 'whole-batch.onnx');
      letGo = control.holdFiles(held);
      const slow = revision('slow', 'slow.onnx', { maxBatchRows: 1 });
      control.publish({
        endpoints: [
          anEndpoint([revision('c1', 'columns-1.onnx', { modelRef: 'model:c@1', signature: columnsSignature })]),
          single('bc', 'breast-cancer.onnx'),
          single('columns', 'columns-1.onnx'),
          single('small', 'gather.onnx', { limits: { maxBodyBytes: 200 } }),
          single('gather', 'gather.onnx'),
          single('types', 'datatypes.onnx'),
          single('half', 'half.onnx'),
          anEndpoint([echoRevision(control)], { name: 'echo' }),
          anEndpoint([slow], { name: 'patient' }),
          single('rated', 'gather.onnx', { limits: { rate: { perSecond: 0.001 } } }),
          anEndpoint([slow], { name: 'crowded', limits: { maxQueued: 1 } }),
          anEndpoint([slow], { name: 'hasty', limits: { timeoutMs: 20 } }),
          anEndpoint([], { name: 'waiting', traffic: [] }),
          anEndpoint([held], { name: 'held' }),
          anEndpoint([control.revision('broken', fixture('make-fixtures.py'))], { name: 'broken' }),
          { ...single('gather', 'gather.onnx', { access: { tokens } }), project: 'closed' },
        ],
      });
      plane = await startTestPlane(control, aHome(), { maxBodyBytes });
      base = plane.url;
      await control.reported(({ endpoints }) => endpoints.length > 0 && endpoints.every(settles));
    },
    async stop() {
      letGo();
      await plane.stop();
      await control.goAway();
    },
    call,
    infer: (model, body, headers = {}) => call(`/v2/models/${model}/infer`, body, headers),
    inferBinary(model, header, ...chunks) {
      const { body, headers } = binaryRequest(header, ...chunks);
      return fetch(`${base}/v2/models/${model}/infer`, { method: 'POST', headers, body: new Uint8Array(body) });
    },
    async answered(path, body) {
      const { status, json } = await call(path, body);
      expect(status).toBe(200);
      return json;
    },
    async events(path, body) {
      const { status, headers, text } = await call(path, body);
      expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
      return text
        .split('\n\n')
        .filter((event) => event !== '')
        .map((event) => parse(event.replace(/^data: /, '')));
    },
    async raw(model, body, accepted) {
      const text = JSON.stringify(body);
      const chunks: Buffer[] = [];
      await new Promise<void>((resolve, reject) => {
        const socket = connect(Number(new URL(base).port), '127.0.0.1', () =>
          socket.write(
            `POST /v2/models/${model}/infer HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\naccept-encoding: ${accepted}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
          ),
        );
        socket.on('data', (chunk) => chunks.push(chunk));
        socket.on('error', reject);
        socket.on('end', () => resolve());
      });
      const whole = Buffer.concat(chunks);
      const end = whole.indexOf('\r\n\r\n');
      return { head: whole.toString('latin1', 0, end), body: whole.subarray(end + 4) };
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Refused with a status and in words: `{"error": text}` and nothing else. */
export async function refused(
  answer: Promise<{ readonly status: number; readonly json: object }>,
  status: number,
  says: string,
): Promise<void> {
  const { status: found, json } = await answer;
  expect([found, json]).toEqual([status, { error: expect.stringContaining(says) }]);
}
export async function refusedBinary(answer: Promise<Response>, says: string): Promise<void> {
  const response = await answer;
  expect([response.status, await response.json()]).toEqual([400, { error: expect.stringContaining(says) }]);
}
