import { openInferenceGrpc } from './open-inference-grpc.ts';
import { openInferenceRest } from './open-inference-rest.ts';
import type { ConformanceProtocol } from './protocol.ts';

/** Every protocol that the data plane speaks, in the order of the page. docs/reference/serving.md is printed from it. */
export const servingConformance = { openInferenceRest, openInferenceGrpc } as const satisfies Readonly<
  Record<string, ConformanceProtocol>
>;
