import { afterAll, beforeAll, expect, test } from 'vitest';
import { mlflowScoring } from '../conformance/mlflow-scoring.ts';
import { openInferenceRest } from '../conformance/open-inference-rest.ts';
import { tensorflowServing } from '../conformance/tensorflow-serving.ts';
import { proveProtocol } from '../testing/prove-protocol.ts';
import { callProofs } from '../testing/rest-call-proofs.ts';
import { featureProofs } from '../testing/rest-feature-proofs.ts';
import { createRestPlane } from '../testing/rest-plane.ts';
import { refusalProofs } from '../testing/rest-refusal-proofs.ts';
import { buildTimeoutMs } from '../testing/test-plane.ts';
import { createRestRoutes } from './rest-server.ts';
import type { RestServices } from './rest-services.ts';

const rest = createRestPlane();
beforeAll(() => rest.start(), buildTimeoutMs);
afterAll(() => rest.stop());

proveProtocol(openInferenceRest, { ...callProofs(rest), ...featureProofs(rest), ...refusalProofs(rest) });

test('the page names every route that is there, and none that is not', () => {
  const routes = createRestRoutes({} as RestServices).map(({ method, path }) => `${method} ${path}`);
  const named = [openInferenceRest, mlflowScoring, tensorflowServing].flatMap(({ sections }) =>
    sections.flatMap(({ rows }) =>
      rows.flatMap(({ what }: { readonly what: string }) => (/^(GET|POST) /.test(what) ? [what] : [])),
    ),
  );
  expect(named.toSorted()).toEqual(routes.toSorted());
});
