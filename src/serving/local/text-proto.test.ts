import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTextProto, TextProtoError } from './text-proto.ts';

test('a configuration as Triton shows it', () => {
  const text = `
    # a comment
    name: "gbt" platform: 'onnxruntime_onnx'; max_batch_size: 8
    input [
      { name: "x", data_type: TYPE_FP32 dims: [ -1, 30 ] },
      { name: "y" data_type: TYPE_STRING dims: 1 }
    ]
    output { name: "label" dims: [] }
    dynamic_batching { preferred_batch_size: [4, 8] max_queue_delay_microseconds: 100 }
    version_policy: { specific { versions: [1, 3] } }
    parameters { key: "a" value: { string_value: "one " "two\\n\\x41\\101" } }
    optimization < priority: PRIORITY_MAX >
    flag: true rate: 1.5f half: -.5e1 hex: 0x1F
  `;
  expect(parseTextProto(text)).toEqual({
    name: ['gbt'],
    platform: ['onnxruntime_onnx'],
    max_batch_size: [8],
    input: [
      { name: ['x'], data_type: ['TYPE_FP32'], dims: [-1, 30] },
      { name: ['y'], data_type: ['TYPE_STRING'], dims: [1] },
    ],
    output: [{ name: ['label'], dims: [] }],
    dynamic_batching: [{ preferred_batch_size: [4, 8], max_queue_delay_microseconds: [100] }],
    version_policy: [{ specific: [{ versions: [1, 3] }] }],
    parameters: [{ key: ['a'], value: [{ string_value: ['one two\nAA'] }] }],
    optimization: [{ priority: ['PRIORITY_MAX'] }],
    flag: [true],
    rate: [1.5],
    half: [-5],
    hex: [31],
  });
});

test.each([
  ['name "x"', 'line 1: ":" or "{" is expected, found "\\"x\\""'],
  ['a: 1\nb: {\n c: 2', 'line 3: a field or "}" is expected, found the end of the file'],
  ['a: [1 2]', 'line 1: "," or "]" is expected, found "2]"'],
  ['a: "open', 'line 1: a value is expected, found "\\"open"'],
  ['a: 1 }', 'line 1: a field is expected, found "}"'],
])('%j is refused with its place', (text, message) => {
  expect(() => parseTextProto(text)).toThrow(new TextProtoError(message));
});

/** Read, or refused in words. */
function outcomeOf(text: string): unknown {
  try {
    parseTextProto(text);
    return 'told';
  } catch (error) {
    return error instanceof TextProtoError ? 'told' : error;
  }
}

test('whatever it is given, it reads it or says where it cannot', () => {
  const piece = fc.constantFrom(
    'a',
    ':',
    '{',
    '}',
    '[',
    ']',
    '<',
    '>',
    '"',
    "'",
    '\\',
    '#',
    '\n',
    '1',
    '-',
    '.',
    ',',
    ' ',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map((pieces) => pieces.join('')),
      ),
      (text) => {
        expect(outcomeOf(text)).toBe('told');
      },
    ),
    { numRuns: 2000 },
  );
});

test('nesting has an end', () => {
  expect(() => parseTextProto('a{'.repeat(10_000))).toThrow(TextProtoError);
});
