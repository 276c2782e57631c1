import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SpecEndpoint, SpecRevision, SpecTensor } from '#contracts/deployment-spec';

import { createLogger } from '#platform/log';
import { builtModule } from '#platform/testing/built-program';
import { type DataPlane, startDataPlane } from '../data-plane.ts';
import type { ServingOptions } from '../serving-options.ts';
import { defaultSpoolLimits } from '../spool.ts';
import type { FakeControlPlane } from './fake-control-plane.ts';

/** A first use may have to build the program. */
export const buildTimeoutMs = 180_000;

export const fixtureFolder = fileURLToPath(new URL('../../runtimes/fixtures/', import.meta.url));

export const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../runtimes/fixtures/${name}`, import.meta.url));

export const aHome = (): string => mkdtempSync(join(tmpdir(), 'tidemill-serving-'));

/** An endpoint with all traffic on the first revision. */
export function anEndpoint(revisions: readonly SpecRevision[], more: Partial<SpecEndpoint> = {}): SpecEndpoint {
  return {
    project: 'default',
    name: 'm',
    access: { tokens: [] },
    traffic: revisions.slice(0, 1).map(({ id }) => ({ revision: id, basisPoints: 10_000 })),
    shadows: [],
    capture: { enabled: true },
    revisions: [...revisions],
    ...more,
  };
}

/** The data plane inside this process, quick to report and deliver. */
export async function startTestPlane(
  control: FakeControlPlane,
  home: string,
  more: Partial<ServingOptions> = {},
): Promise<DataPlane> {
  await builtModule('runtimes/onnx-thread.js');
  return startDataPlane(
    {
      controlUrl: control.url,
      token: control.token,
      pool: 'default',
      replica: 'r',
      host: '127.0.0.1',
      port: 0,
      grpcPort: undefined,
      grpcMaxMessageBytes: 64 * 1024 ** 2,
      home,
      allowedHosts: [],
      logFile: undefined,
      pythonFolder: resolve('node_modules/.cache/tidemill-python'),
      python: undefined,
      reportEveryMs: 100,
      deliverEveryMs: 50,
      drainMs: 2_000,
      maxBodyBytes: 64 * 1024 ** 2,
      memoryBytes: undefined,
      spool: defaultSpoolLimits,
      programVersion: '0',
      ...more,
    },
    createLogger({ level: 'silent' }),
  );
}

export interface TestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: {
    readonly error?: string;
    readonly outputs?: readonly { readonly name: string; readonly shape: number[]; readonly data: unknown[] }[];
  } & Record<string, unknown>;
}

export async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<TestAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: JSON.parse(text) as TestAnswer['json'] };
}

/** A program that gives back `blob` (BYTES) and `half` (BF16) as they came: what ONNX cannot take. */
export function echoRevision(control: FakeControlPlane): SpecRevision {
  const main = control.revision('echo', fixture('command/echo/command.json'), { runtime: 'command' });
  const program = control.revision('program', fixture('command/program.mjs'));
  const files = [...main.files.map((file) => ({ ...file, path: `echo/${file.path}` })), ...program.files];
  return { ...main, files };
}

/** One row of `columns-1.onnx` and `columns-2.onnx`. */
export function columnsBody(distance: number, more: Record<string, unknown> = {}) {
  return {
    inputs: [
      { name: 'carrier', shape: [1, 1], datatype: 'BYTES', data: ['UA'] },
      { name: 'flight', shape: [1, 1], datatype: 'INT64', data: [1545] },
      { name: 'distance', shape: [1, 1], datatype: 'FP32', data: [distance] },
    ],
    ...more,
  };
}

/** What columns-1.onnx declares, with a distance that may be null. */
export const columnsSignature = {
  inputs: [
    { name: 'carrier', datatype: 'BYTES', shape: [-1, 1] },
    { name: 'flight', datatype: 'INT64', shape: [-1, 1] },
    { name: 'distance', datatype: 'FP32', shape: [-1, 1], nullable: true },
  ],
  outputs: [{ name: 'score', datatype: 'FP32', shape: [-1, 1] }],
} satisfies { inputs: SpecTensor[]; outputs: SpecTensor[] };
