import { createOnnxThreadRuntime } from '../onnx.ts';
import { describeRuntime, fixture } from '../testing/runtime-contract.ts';
import { createGraphsInTest } from './testing/graph-in-test.ts';

const models = {
  columns: fixture('graph/columns/graph.yaml'),
  twoOutputs: fixture('graph/two-outputs/graph.yaml'),
  gather: fixture('graph/gather/graph.yaml'),
};

describeRuntime('a graph of one model', models, async () => createGraphsInTest(createOnnxThreadRuntime()));
