import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import type { SpecRevision } from '#contracts/deployment-spec';
import { findInputExample } from '#contracts/input-example';
import type { FakeControlPlane } from './testing/fake-control-plane.ts';
import { aControlPlane, aPlane, ready } from './testing/plane-in-test.ts';
import { aHome, anEndpoint, buildTimeoutMs, fixture, post } from './testing/test-plane.ts';

let control: FakeControlPlane;
beforeEach(async () => {
  control = await aControlPlane();
});

/** `gather` gives the element of [10, 20, 30] that `index` names, and raises beyond them. */
const picking = (index: number) => ({ inputs: [{ name: 'index', shape: [1], datatype: 'INT64', data: [index] }] });

/** A revision of that model with a file beside it, as MLflow keeps an example of the inputs. */
function withExample(id: string, example: unknown, name = 'serving_input_example.json'): SpecRevision {
  const path = join(mkdtempSync(join(tmpdir(), 'tidemill-example-')), name);
  writeFileSync(path, JSON.stringify(example));
  const model = control.revision(id, fixture('gather.onnx'));
  const files = [...model.files, ...control.revision(id, path).files];
  const inputExample = findInputExample(files);
  if (inputExample === undefined) throw new Error(`${name} is no example`);
  return { ...model, files, inputExample };
}

const endpointOf = (revision: SpecRevision, ...others: readonly SpecRevision[]) =>
  anEndpoint([revision, ...others], { traffic: [{ revision: revision.id, basisPoints: 10_000 }] });

test(
  'a version is run with the example of its inputs before it answers; one that fails says so, and the last good stays',
  async () => {
    const plane = await aPlane(control, aHome());
    control.publish({ endpoints: [endpointOf(withExample('r1', { inputs: { index: [2] } }))] });
    await ready(control, 1);
    const failing: readonly (readonly [id: string, revision: SpecRevision, says: string])[] = [
      ['r2', withExample('r2', { dataframe_split: { columns: ['index'], data: [[77]] } }), 'the example of its inputs'],
      ['r3', withExample('r3', { columns: ['index'], data: [[77]] }, 'input_example.json'), 'input_example.json'],
      ['r4', { ...withExample('r4', { inputs: [1] }), warmup: [picking(1), picking(77)] }, 'request 2 of "warmup"'],
      ['r5', { ...withExample('r5', { inputs: [1] }), warmup: [{ inputs: [] }] }, '"index" is missing'],
    ];
    for (const [id, revision, says] of failing) {
      const { generation } = control.publish({ endpoints: [endpointOf(revision)] });
      const { endpoints } = await control.reported(
        (report) =>
          report.observed?.generation === generation && report.endpoints[0]?.error?.includes(`"${id}"`) === true,
      );
      const error = endpoints[0]?.error ?? '';
      expect([id, error.startsWith(`revision "${id}": its warm-up with `), error]).toEqual([
        id,
        true,
        expect.stringContaining(says),
      ]);
      expect([says.startsWith('"index"') || error.includes('77')]).toEqual([true]);
      const answer = await post(plane.infer, picking(2));
      expect([answer.status, answer.headers.get('x-tidemill-revision')]).toEqual([200, 'r1']);
    }
  },
  buildTimeoutMs,
);

test(
  'an example that no caller could send either is passed over, and a request that is declared stands before it',
  async () => {
    const plane = await aPlane(control, aHome());
    const odd = withExample('r1', { messages: [{ role: 'user', content: 'what is green?' }] });
    control.publish({ endpoints: [endpointOf(odd, { ...withExample('r2', { inputs: [77] }), warmup: [picking(1)] })] });
    const { endpoints } = await control.reported((report) => report.endpoints[0]?.state === 'ready');
    expect(endpoints[0]?.revisions.map(({ state }) => state)).toEqual(['ready', 'ready']);
    expect((await post(plane.infer, picking(0))).status).toBe(200);
  },
  buildTimeoutMs,
);
