import { mlflowScoring } from './mlflow-scoring.ts';
import { openInferenceGrpc } from './open-inference-grpc.ts';
import { openInferenceRest } from './open-inference-rest.ts';
import type { ConformanceProtocol } from './protocol.ts';
import { tensorflowServing } from './tensorflow-serving.ts';

/** Every protocol that the data plane speaks, in the order of the page. docs/reference/serving.md is printed from it. */
export const servingConformance = {
  openInferenceRest,
  openInferenceGrpc,
  mlflowScoring,
  tensorflowServing,
} as const satisfies Readonly<Record<string, ConformanceProtocol>>;
