import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { SpecTensor } from '#contracts/deployment-spec';
import type { DataPlane } from '../data-plane.ts';
import { type FakeControlPlane, startFakeControlPlane } from './fake-control-plane.ts';
import { aHome, anEndpoint, columnsSignature, fixture, startTestPlane } from './test-plane.ts';

/** Data planes for what callers of MLflow's and TensorFlow's servers send: one of several models, and one of one. */
export interface ScoringPlane {
  readonly base: string;
  /** Where `gather` is the only model. */
  readonly single: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** A GET without a body, else a POST; by a path of the plane of several models, or a whole URL. */
  call(path: string, body?: unknown, headers?: Record<string, string>): Promise<ScoringAnswer>;
  invoke(model: string, body: unknown, headers?: Record<string, string>): Promise<ScoringAnswer>;
  /** What an answer with 200 says. */
  predictions(model: string, body: unknown, headers?: Record<string, string>): Promise<unknown>;
}

export interface ScoringAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Undefined where the answer is no JSON. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
}

/** Rows of the model `columns`: score = distance + 1. */
export const flight = (distance: unknown, more = {}) => ({ carrier: 'UA', flight: 1545, distance, ...more });

const optionalSignature = {
  ...columnsSignature,
  inputs: columnsSignature.inputs.map((input): SpecTensor => {
    return input.name === 'distance' ? { ...input, optional: true } : input;
  }),
};
const namedSignature = {
  inputs: [
    {
      name: 'x',
      datatype: 'FP32',
      shape: [-1, 30],
      columns: Array.from({ length: 30 }, (_, index) => `c${index}`),
    },
  ],
  outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [-1, 2] }],
} satisfies { inputs: SpecTensor[]; outputs: SpecTensor[] };

export function createScoringPlane(): ScoringPlane {
  const controls: FakeControlPlane[] = [];
  const planes: DataPlane[] = [];

  async function call(path: string, body?: unknown, headers: Record<string, string> = {}) {
    const payload = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    const response = await fetch(path.startsWith('http') ? path : `${planes[0]?.url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: payload as string }),
    });
    const text = await response.text();
    const json = parse(text);
    return { status: response.status, headers: response.headers, text, json };
  }
  const invoke: ScoringPlane['invoke'] = (model, body, headers) =>
    call(`/endpoints/${model}/invocations`, body, headers);

  return {
    get base() {
      return planes[0]?.url ?? '';
    },
    get single() {
      return planes[1]?.url ?? '';
    },
    async start() {
      const control = await startFakeControlPlane();
      const one = (name: string, file: string, more = {}) =>
        anEndpoint([control.revision(name, fixture(file), { modelRef: `model:${name}@3`, ...more })], { name });
      const tokens = [{ digest: createHash('sha256').update('right').digest('hex'), principal: 'token:t1' }];
      control.publish({
        endpoints: [
          one('columns', 'columns-1.onnx', { signature: columnsSignature }),
          one('optional', 'columns-1.onnx', { signature: optionalSignature }),
          one('whole', 'columns-1.onnx'),
          one('matrix', 'breast-cancer.onnx'),
          one('named', 'breast-cancer.onnx', { signature: namedSignature }),
          one('gather', 'gather.onnx'),
          one('types', 'datatypes.onnx'),
          { ...one('gather', 'gather.onnx'), project: 'closed', access: { tokens } },
        ],
      });
      const alone = await startFakeControlPlane();
      alone.publish({ endpoints: [anEndpoint([alone.revision('g', fixture('gather.onnx'))], { name: 'gather' })] });
      for (const each of [control, alone]) {
        controls.push(each);
        planes.push(await startTestPlane(each, aHome()));
        await each.reported(({ state }) => state === 'ready');
      }
    },
    async stop() {
      for (const plane of planes) await plane.stop();
      for (const control of controls) await control.goAway();
    },
    call,
    invoke,
    async predictions(model, body, headers) {
      const { status, json, text } = await invoke(model, body, headers);
      expect([status, text]).toEqual([200, text]);
      return json?.['predictions'];
    },
  };
}

function parse(text: string): ScoringAnswer['json'] {
  try {
    return JSON.parse(text) as ScoringAnswer['json'];
  } catch {
    return undefined;
  }
}

/** An answer is refused with a status, and a text that has a part. */
export async function refusedBy(answer: Promise<ScoringAnswer>, status: number, part: string): Promise<void> {
  const { status: seen, text, json } = await answer;
  const said = json?.['error'] ?? json?.['message'] ?? text;
  expect([seen, said]).toEqual([status, expect.stringContaining(part)]);
  expect(text).not.toMatch(/\n +at /);
  expect(json).toBeDefined();
}
