import { afterAll, beforeAll } from 'vitest';
import { tensorflowServing } from '../conformance/tensorflow-serving.ts';
import { proveProtocol } from '../testing/prove-protocol.ts';
import { createScoringPlane } from '../testing/scoring-plane.ts';
import { tensorflowServingProofs } from '../testing/tensorflow-serving-proofs.ts';
import { buildTimeoutMs } from '../testing/test-plane.ts';

const plane = createScoringPlane();
beforeAll(() => plane.start(), buildTimeoutMs);
afterAll(() => plane.stop());

proveProtocol(tensorflowServing, tensorflowServingProofs(plane));
