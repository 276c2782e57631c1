import { afterAll, beforeAll, expect, test } from 'vitest';
import { openInferenceGrpc } from '../conformance/open-inference-grpc.ts';
import { proveProtocol } from '../testing/prove-protocol.ts';
import { buildTimeoutMs } from '../testing/test-plane.ts';
import { inferenceService } from './inference-messages.ts';
import { type GrpcTestPlane, startGrpcTestPlane } from './testing/grpc-plane.ts';
import { grpcProofs } from './testing/grpc-proofs.ts';

let plane: GrpcTestPlane;
beforeAll(async () => {
  plane = await startGrpcTestPlane();
}, buildTimeoutMs);
afterAll(() => plane.close());

proveProtocol(
  openInferenceGrpc,
  grpcProofs(() => plane),
);

test('the page names every call that is there, and none that is not', () => {
  const named = openInferenceGrpc.sections[0]?.rows.map(({ what }) => what.replace('rpc ', '')) ?? [];
  expect(named.toSorted()).toEqual(Object.keys(inferenceService.calls).toSorted());
});
