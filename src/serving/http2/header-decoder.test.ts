import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HeaderDecoder } from './header-decoder.ts';
import { encodeHeaders } from './header-encoder.ts';

const decode = (decoder: HeaderDecoder, hex: string): [string, string][] | undefined => {
  const block = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const fields = decoder.decode(block, 0, block.length);
  return fields && pairs(fields);
};
const pairs = (fields: readonly string[]): [string, string][] =>
  Array.from({ length: fields.length / 2 }, (_, index) => [fields[index * 2] ?? '', fields[index * 2 + 1] ?? '']);
const aDecoder = (maxListSize = 16_384) => new HeaderDecoder(maxListSize);

const request = (path: string, scheme = 'http'): [string, string][] => [
  [':method', 'GET'],
  [':scheme', scheme],
  [':path', path],
  [':authority', 'www.example.com'],
];

test('literals of each kind and fields by their index, as in RFC 7541, C.2', () => {
  expect(decode(aDecoder(), '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572')).toEqual([
    ['custom-key', 'custom-header'],
  ]);
  expect(decode(aDecoder(), '040c 2f73 616d 706c 652f 7061 7468')).toEqual([[':path', '/sample/path']]);
  expect(decode(aDecoder(), '1008 7061 7373 776f 7264 0673 6563 7265 74')).toEqual([['password', 'secret']]);
  expect(decode(aDecoder(), '82')).toEqual([[':method', 'GET']]);
});

const inTurn = {
  'RFC 7541, C.3': [
    '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
    '8286 84be 5808 6e6f 2d63 6163 6865',
    '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
  ],
  'RFC 7541, C.4, in Huffman codes': [
    '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
    '8286 84be 5886 a8eb 1064 9cbf',
    '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
  ],
} as const;
for (const [name, blocks] of Object.entries(inTurn))
  test(`requests in turn that fill the table: ${name}`, () => {
    const decoder = aDecoder();
    expect(decode(decoder, blocks[0])).toEqual(request('/'));
    expect(decode(decoder, blocks[1])).toEqual([...request('/'), ['cache-control', 'no-cache']]);
    expect(decode(decoder, blocks[2])).toEqual([...request('/index.html', 'https'), ['custom-key', 'custom-value']]);
  });

test('a smaller table forgets its oldest fields, as in RFC 7541, C.5', () => {
  const decoder = aDecoder();
  // 3fe101: the table has 256 bytes from now on
  const first = decode(
    decoder,
    '3fe101 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d ' +
      '546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
  );
  const rest = [
    ['cache-control', 'private'],
    ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
    ['location', 'https://www.example.com'],
  ];
  expect(first).toEqual([[':status', '302'], ...rest]);
  expect(decode(decoder, '4803 3330 37c1 c0bf')).toEqual([[':status', '307'], ...rest]); // which drives :status 302 out
  expect(decode(decoder, '88c1 c0bf')).toEqual([[':status', '200'], ...rest]);
  expect(() => decode(decoder, 'c2')).toThrow('no field has the index 66');
});

const malformed: Readonly<Record<string, readonly [hex: string, says: string]>> = {
  'the index 0': ['80', 'no field has the index 0'],
  'an index past both tables': ['be', 'no field has the index 62'],
  'a name by such an index': ['7f00', 'no field has the index 63'],
  'a number without end': [`ff${'ff'.repeat(10)}`, 'too long'],
  'a block that ends within a number': ['ff', 'cut off'],
  'a text past the end of its block': ['400161 05 62', 'longer than its block'],
  'a literal without a value': ['400161', 'cut off'],
  'a table that is larger than offered': ['3fe21f', 'more than was offered'],
  'a table that changes within a block': ['8220', 'within a block'],
  'a Huffman code that is cut off': ['4001 61 81 fc00', 'cut off'],
  'padding of zeros': ['4001 61 81 18', 'cut off'],
  'padding of a whole byte': ['4001 61 82 1fff', 'cut off'],
  'the end of a text within it': ['4001 61 84 ffff fffc', 'not in the Huffman code'],
};
for (const [name, [hex, says]] of Object.entries(malformed))
  test(`${name} is refused`, () => {
    expect(() => decode(aDecoder(), hex)).toThrow(says);
  });

test('fields that are too many are not kept, and the table stays that of the peer', () => {
  const decoder = aDecoder(200);
  const long = `4001 61 7f81 01${'62'.repeat(256)}`; // a: 256 times b, into the table
  expect(decode(decoder, `${long} ${'be'.repeat(1_000)}`)).toBeUndefined();
  expect(decode(decoder, '400163 0164 82')).toEqual([
    ['c', 'd'],
    [':method', 'GET'],
  ]);
  expect(decode(decoder, 'be')).toEqual([['c', 'd']]);
});

test('what the encoder writes is read as it was', () => {
  const text = fc.string({
    unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)),
    maxLength: 400,
  });
  const field = fc.tuple(
    text,
    fc.oneof(
      text,
      fc.constantFrom(126, 127, 128, 254, 255, 16_500).map((n) => 'x'.repeat(n)),
    ),
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 8 }), (fields) => {
      const block = encodeHeaders(fields);
      const read = aDecoder(2 ** 30).decode(block, 0, block.length);
      expect(pairs(read ?? [])).toEqual(fields);
    }),
  );
});

/** What reading these blocks in turn throws. */
function faultOf(blocks: readonly Uint8Array[]): Error | undefined {
  const decoder = aDecoder();
  try {
    for (const block of blocks) decoder.decode(Buffer.from(block), 0, block.length);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

test('random bytes are read or refused', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 5 }), (blocks) => {
      expect([undefined, 'Http2Error']).toContain(faultOf(blocks)?.name);
    }),
    { numRuns: 2_000 },
  );
});
