import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isAppError } from '#platform/errors';
import { parseInferRequest } from './infer-body.ts';

const parse = (text: string) => parseInferRequest(Buffer.from(text));

function outcomeOf(body: Buffer): string {
  try {
    parseInferRequest(body);
    return 'read';
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
}

test('any number is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 20 }),
      fc.boolean(),
      (numbers, exponents) => {
        const texts = numbers.map((value) => (exponents ? value.toExponential() : JSON.stringify(value)));
        const body = `{"inputs":[{"name":"x","shape":[${texts.length}],"datatype":"FP64","data":[${texts.join(' , ')}]}]}`;
        expect(parse(body).inputs[0]?.data).toEqual(Float64Array.from(JSON.parse(`[${texts.join(',')}]`) as number[]));
      },
    ),
  );
});

test('any number is read as FP32 to the nearest of them, however many digits it has', () => {
  const bits = new Uint32Array(1);
  const singles = new Float32Array(bits.buffer);
  /** A single, the middle between it and the next, or a hair beside that: where rounding is hardest. */
  const hard = fc
    .tuple(fc.nat(0x7f7f_fffe), fc.constantFrom(-1, 0, 1), fc.boolean())
    .map(([pattern, beside, middle]) => {
      bits[0] = pattern;
      const low = singles[0] ?? 0;
      bits[0] = pattern + 1;
      const high = singles[0] ?? 0;
      const value = middle ? (low + high) / 2 : low;
      return value + beside * value * 2 ** -52;
    });
  const asText = fc.tuple(
    fc.oneof(hard, fc.double({ noNaN: true, min: -1e20, max: 1e20 })),
    fc.integer({ min: 0, max: 22 }),
  );
  let long = 0;
  fc.assert(
    fc.property(
      fc.array(asText, { minLength: 1, maxLength: 20 }),
      fc.constantFrom(',', ', ', ' ,\n'),
      (numbers, comma) => {
        const texts = numbers.map(([value, places]) =>
          Math.abs(value) < 1e20 ? value.toFixed(places) : String(value),
        );
        long += texts.filter((text) => text.length > 17 && text.length < 26).length;
        const body = `{"inputs":[{"name":"x","shape":[${texts.length}],"datatype":"FP32","data":[${texts.join(comma)}]}]}`;
        expect(parse(body).inputs[0]?.data).toEqual(Float32Array.from(JSON.parse(`[${texts.join(',')}]`) as number[]));
      },
    ),
    { numRuns: 3_000 },
  );
  expect(long).toBeGreaterThan(1_000);
});

test.each([
  '[1,]',
  '[,1]',
  '[1 2]',
  '[1,,2]',
  '[01,2]',
  '[1.,2]',
  '[-,2]',
  '[.5,2]',
  '[1,2',
  '[1,2}',
  '[1,2,3]',
  '[1]',
  '[]',
])('the list %s is no data of two values', (data) => {
  for (const datatype of ['FP32', 'FP64', 'INT32'])
    expect(
      outcomeOf(Buffer.from(`{"inputs":[{"name":"x","shape":[2],"datatype":"${datatype}","data":${data}}]}`)),
    ).toBe('REQUEST_MALFORMED');
});

test('any text and any integer of 64 bits is read exactly', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary' })),
      fc.array(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
      (texts, integers) => {
        const body = `{"inputs":[{"data":${JSON.stringify(texts)},"name":"t","shape":[${texts.length}],"datatype":"BYTES"},
        {"name":"i","shape":[${integers.length}],"datatype":"INT64","data":[${integers.join(',')}]}]}`;
        const { inputs } = parse(body);
        expect([inputs[0]?.data, inputs[1]?.data]).toEqual([texts, BigInt64Array.from(integers)]);
      },
    ),
  );
});

test('a damaged body is refused in words or read, and never fails otherwise', () => {
  const whole = Buffer.from(
    '{"id":"a\\u00e9","parameters":{"keys":["k"]},"outputs":[{"name":"y"}],"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,-2.5e1],[null,0]]},{"name":"t","shape":[1],"datatype":"BYTES","data":["Zürich"]}]}',
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 4 }),
      fc.nat(whole.length),
      (changes, cut) => {
        const damaged = Buffer.from(whole);
        for (const [at, byte] of changes) damaged.writeUInt8(byte, at);
        expect(['read', 'REQUEST_MALFORMED']).toContain(outcomeOf(damaged.subarray(0, cut)));
      },
    ),
    { numRuns: 2_000 },
  );
});

test.each([
  ['UINT8', '[1,300]', 'input "x": 300 is no value of UINT8'],
  ['FP32', '[1,1e39]', 'input "x": 1e+39 is no value of FP32'],
  ['FP64', '[1,"2"]', 'input "x": the body is not valid: expected a number at byte'],
  ['BOOL', '[true,1]', 'input "x": the body is not valid: expected true or false at byte'],
])('what is no %s is told with the name of its input', (datatype, data, message) => {
  for (const body of [
    `{"inputs":[{"name":"x","shape":[2],"datatype":"${datatype}","data":${data}}]}`,
    `{"inputs":[{"data":${data},"shape":[2],"datatype":"${datatype}","name":"x"}]}`,
  ])
    expect(() => parse(body)).toThrow(message);
});

test('bytes that are no UTF-8 are refused', () => {
  const body = Buffer.from('{"inputs":[{"name":"t","shape":[1],"datatype":"BYTES","data":["a?"]}]}');
  body.writeUInt8(0xff, body.indexOf('?'));
  expect(() => parseInferRequest(body)).toThrow(/UTF-8/);
});
