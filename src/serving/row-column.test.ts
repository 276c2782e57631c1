import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { aControlPlane, aPlane, flush, ready } from './testing/plane-in-test.ts';
import { aHome, anEndpoint, buildTimeoutMs, fixture, post } from './testing/test-plane.ts';

const { rows } = JSON.parse(readFileSync(fixture('breast-cancer.json'), 'utf8')) as { readonly rows: number[][] };
const columns = Array.from({ length: 30 }, (_, place) => `measure ${place}`);
const signature = { inputs: [{ name: 'x', datatype: 'FP32' as const, shape: [-1, 30], columns }], outputs: [] };

test(
  'traffic is sticky by a column inside a matrix, which also says whom a row is about; one that is nowhere is warned of',
  async () => {
    const control = await aControlPlane();
    const all = [
      control.revision('r1', fixture('breast-cancer.onnx'), { signature }),
      control.revision('r2', fixture('breast-cancer-logistic.onnx'), { signature }),
    ];
    const traffic = all.map(({ id }) => ({ revision: id, basisPoints: 5_000 }));
    const serve = (sticky: string, subject: string) =>
      control.publish({
        endpoints: [anEndpoint(all, { traffic, sticky: { by: 'column', column: sticky, salt: 's' }, subject })],
      });
    serve('measure 3', 'measure 4');
    const plane = await aPlane(control, aHome());
    expect((await ready(control, 1)).endpoints[0]?.warnings).toBeUndefined();
    const ask = async (customer: number) => {
      const data = rows
        .slice(0, 2)
        .flatMap((row, at) =>
          row.map((value, place) => (place === 3 ? customer : place === 4 ? customer + at : value)),
        );
      const answer = await post(plane.infer, { inputs: [{ name: 'x', shape: [2, 30], datatype: 'FP32', data }] });
      return answer.headers.get('x-tidemill-revision');
    };
    const seen: (string | null)[] = [];
    for (let customer = 0; customer < 30; customer += 1) seen.push(await ask(customer));
    for (let customer = 0; customer < 30; customer += 1) expect(await ask(customer)).toBe(seen[customer]);
    expect(new Set(seen)).toEqual(new Set(['r1', 'r2']));
    await flush(control, 2);
    expect(control.records.slice(0, 3).map(({ subject, reason }) => [subject, reason])).toEqual([
      [['0', '1'], 'sticky'],
      [['1', '2'], 'sticky'],
      [['2', '3'], 'sticky'],
    ]);
    serve('customer', 'person');
    const { endpoints } = await control.reported(({ observed }) => observed?.generation === 3);
    expect(endpoints[0]?.warnings).toEqual([
      expect.stringContaining('sticky goes by the column "customer"'),
      expect.stringContaining('the subject of a request is its column "person"'),
    ]);
  },
  buildTimeoutMs,
);
