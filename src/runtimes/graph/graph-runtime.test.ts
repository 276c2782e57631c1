import { createOnnxThreadRuntime } from '../onnx.ts';
import type { Runtime } from '../runtime.ts';
import { describeRuntime, fixture } from '../testing/runtime-contract.ts';
import { createGraphRuntime } from './graph-runtime.ts';

const models = {
  columns: fixture('graph/columns/graph.yaml'),
  twoOutputs: fixture('graph/two-outputs/graph.yaml'),
  gather: fixture('graph/gather/graph.yaml'),
};

describeRuntime('a graph of one model', models, async (): Promise<Runtime> => {
  const onnx = createOnnxThreadRuntime();
  const graph = createGraphRuntime({ runtimeOf: async () => onnx, mayLeaveFolder: true });
  return {
    ...graph,
    async close() {
      await graph.close();
      await onnx.close();
    },
  };
});
