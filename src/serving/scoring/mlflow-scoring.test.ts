import { afterAll, beforeAll } from 'vitest';
import { mlflowScoring } from '../conformance/mlflow-scoring.ts';
import { mlflowScoringProofs } from '../testing/mlflow-scoring-proofs.ts';
import { proveProtocol } from '../testing/prove-protocol.ts';
import { createScoringPlane } from '../testing/scoring-plane.ts';
import { buildTimeoutMs } from '../testing/test-plane.ts';

const plane = createScoringPlane();
beforeAll(() => plane.start(), buildTimeoutMs);
afterAll(() => plane.stop());

proveProtocol(mlflowScoring, mlflowScoringProofs(plane));
