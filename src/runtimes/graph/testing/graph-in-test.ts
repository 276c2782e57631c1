import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tensor } from '#contracts/tensor';
import { createOnnxRuntime } from '../../onnx.ts';
import type { GraphObserver, LoadedModel, ModelFiles, Runtime } from '../../runtime.ts';
import { fixture } from '../../testing/runtime-contract.ts';
import { createGraphRuntime } from '../graph-runtime.ts';

/** Loads a graph that is written down; `$name` in it is the path of a fixture `name.onnx`. */
export function loadGraph(
  runtime: Runtime,
  yaml: string,
  files: Omit<ModelFiles, 'mainPath'> = {},
): Promise<LoadedModel> {
  const path = join(mkdtempSync(join(tmpdir(), 'tidemill-graph-')), 'graph.yaml');
  writeFileSync(
    path,
    yaml.replaceAll(/\$([a-z0-9-]+)/g, (_, name: string) => fixture(`${name}.onnx`)),
  );
  return runtime.load({ ...files, mainPath: path });
}

/** Graphs over models in ONNX, by default in this thread. */
export function createGraphsInTest(onnx: Runtime = createOnnxRuntime()): Runtime {
  const graphs = createGraphRuntime({ runtimeOf: async () => onnx, mayLeaveFolder: true });
  return {
    ...graphs,
    async close() {
      await graphs.close();
      await onnx.close();
    },
  };
}

/** What each node was run with, in order: `score: 3 rows`. */
export function createLog(): GraphObserver & { readonly lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    ran: (node, rows, _durationMs, failed) => void lines.push(`${node}: ${failed ? 'failed' : `${rows} rows`}`),
    took: (node, branch, rows) => void lines.push(`${node} → ${branch}: ${rows} rows`),
  };
}

export const fp32 = (name: string, values: readonly number[], width = 1): Tensor => ({
  name,
  datatype: 'FP32',
  shape: [values.length / width, width],
  data: Float32Array.from(values),
});
export const int64 = (name: string, ...values: readonly number[]): Tensor => ({
  name,
  datatype: 'INT64',
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
export const text = (name: string, ...values: readonly string[]): Tensor => ({
  name,
  datatype: 'BYTES',
  shape: [values.length, 1],
  data: values,
});
