import { once } from 'node:events';
import { expect, test } from 'vitest';
import { flags, frameTypes, preface } from './frames.ts';
import { errorCodes } from './http2-error.ts';
import { aRaw, aServer, fields, frame, greeting, of, open, post } from './testing/raw-http2.ts';

// What clients must not send, frame by frame.

const { END_HEADERS, END_STREAM, PADDED, PRIORITY, ACK } = flags;
const pseudo = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/'],
] as const;

type Fault = readonly [code: keyof typeof errorCodes, bytes: readonly Buffer[]];
/** What ends the connection. */
const connectionFaults: Readonly<Record<string, Fault>> = {
  'another protocol': ['PROTOCOL_ERROR', [Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n')]],
  'no settings at first': ['PROTOCOL_ERROR', [preface, frame(frameTypes.PING, 0, 0, '0000000000000000')]],
  'a frame that is too long': ['FRAME_SIZE_ERROR', [greeting, frame(frameTypes.HEADERS, 0, 1, Buffer.alloc(16_385))]],
  'a stream of an even number': ['PROTOCOL_ERROR', [greeting, open(2)]],
  'a stream of a number that was': ['STREAM_CLOSED', [greeting, open(5, END_STREAM), open(3)]],
  'headers of no stream': ['PROTOCOL_ERROR', [greeting, open(0)]],
  'a body of no stream': ['PROTOCOL_ERROR', [greeting, frame(frameTypes.DATA, 0, 0, '00')]],
  'a body before its headers': ['PROTOCOL_ERROR', [greeting, frame(frameTypes.DATA, 0, 1, '00')]],
  'more padding than body': ['PROTOCOL_ERROR', [greeting, open(1), frame(frameTypes.DATA, PADDED, 1, '05 00')]],
  'padding of nothing': ['PROTOCOL_ERROR', [greeting, open(1), frame(frameTypes.DATA, PADDED, 1)]],
  'more padding than headers': [
    'PROTOCOL_ERROR',
    [greeting, frame(frameTypes.HEADERS, END_HEADERS | PADDED, 1, '09 82')],
  ],
  'a stream that depends on itself': [
    'PROTOCOL_ERROR',
    [greeting, frame(frameTypes.HEADERS, END_HEADERS | PRIORITY, 1, '00000001 00 82')],
  ],
  'the same by PRIORITY': ['PROTOCOL_ERROR', [greeting, frame(frameTypes.PRIORITY, 0, 1, '00000001 00')]],
  'something within a header block': [
    'PROTOCOL_ERROR',
    [greeting, frame(frameTypes.HEADERS, 0, 1, post), frame(frameTypes.PING, 0, 0, '0000000000000000')],
  ],
  'a header block of another stream': [
    'PROTOCOL_ERROR',
    [greeting, frame(frameTypes.HEADERS, 0, 1, post), frame(frameTypes.CONTINUATION, END_HEADERS, 3)],
  ],
  'what goes on with nothing': ['PROTOCOL_ERROR', [greeting, frame(frameTypes.CONTINUATION, END_HEADERS, 1)]],
  'a header block without end': [
    'ENHANCE_YOUR_CALM',
    [
      greeting,
      frame(frameTypes.HEADERS, 0, 1),
      ...Array.from({ length: 40 }, () => frame(frameTypes.CONTINUATION, 0, 1)),
    ],
  ],
  'a header block that is too large': [
    'ENHANCE_YOUR_CALM',
    [
      greeting,
      frame(frameTypes.HEADERS, 0, 1),
      ...Array.from({ length: 2 }, () => frame(frameTypes.CONTINUATION, 0, 1, Buffer.alloc(5_000))),
    ],
  ],
  'headers that are none': ['COMPRESSION_ERROR', [greeting, open(1, 0, Buffer.of(0x80))]],
  'settings of a stream': ['PROTOCOL_ERROR', [greeting, frame(frameTypes.SETTINGS, 0, 1)]],
  'half a setting': ['FRAME_SIZE_ERROR', [greeting, frame(frameTypes.SETTINGS, 0, 0, '000000')]],
  'settings in an answer': ['FRAME_SIZE_ERROR', [greeting, frame(frameTypes.SETTINGS, ACK, 0, '000000000000')]],
  'a push that is neither on nor off': [
    'PROTOCOL_ERROR',
    [greeting, frame(frameTypes.SETTINGS, 0, 0, '0002 00000002')],
  ],
  'a first window past 2^31': ['FLOW_CONTROL_ERROR', [greeting, frame(frameTypes.SETTINGS, 0, 0, '0004 80000000')]],
  'windows that change on and on': [
    'ENHANCE_YOUR_CALM',
    [
      greeting,
      ...Array.from({ length: 101 }, (_, turn) => frame(frameTypes.SETTINGS, 0, 0, `0004 0000000${turn % 2}`)),
    ],
  ],
  'windows of streams past 2^31': [
    'FLOW_CONTROL_ERROR',
    [
      greeting,
      open(1),
      frame(frameTypes.WINDOW_UPDATE, 0, 1, '00010000'),
      frame(frameTypes.SETTINGS, 0, 0, '0004 7fffffff'),
    ],
  ],
  'a frame size that may not be': ['PROTOCOL_ERROR', [greeting, frame(frameTypes.SETTINGS, 0, 0, '0005 00000001')]],
  'a ping of a stream': ['PROTOCOL_ERROR', [greeting, frame(frameTypes.PING, 0, 1, '0000000000000000')]],
  'a ping of another length': ['FRAME_SIZE_ERROR', [greeting, frame(frameTypes.PING, 0, 0, '00')]],
  'a push of a client': ['PROTOCOL_ERROR', [greeting, frame(frameTypes.PUSH_PROMISE, 0, 1, '00000002')]],
  'an end of a stream': ['PROTOCOL_ERROR', [greeting, frame(frameTypes.GOAWAY, 0, 1, '00000000 00000000')]],
  'a window opened by nothing': ['PROTOCOL_ERROR', [greeting, frame(frameTypes.WINDOW_UPDATE, 0, 0, '00000000')]],
  'half a window': ['FRAME_SIZE_ERROR', [greeting, frame(frameTypes.WINDOW_UPDATE, 0, 0, '0000')]],
  'a window of all past 2^31': ['FLOW_CONTROL_ERROR', [greeting, frame(frameTypes.WINDOW_UPDATE, 0, 0, '7fffffff')]],
  'a window of a stream that is not yet': [
    'PROTOCOL_ERROR',
    [greeting, frame(frameTypes.WINDOW_UPDATE, 0, 1, '00000001')],
  ],
  'a reset of a stream that is not yet': ['PROTOCOL_ERROR', [greeting, frame(frameTypes.RST_STREAM, 0, 1, '00000000')]],
  'a reset of another length': ['FRAME_SIZE_ERROR', [greeting, open(1), frame(frameTypes.RST_STREAM, 0, 1, '00')]],
};
test.each(Object.entries(connectionFaults))('%s ends the connection', async (_, [code, bytes]) => {
  const { port, memory } = await aServer();
  const raw = aRaw(port);
  const closed = once(raw.socket, 'close');
  raw.send(...bytes);
  await closed;
  expect(raw.ends(frameTypes.GOAWAY).map(({ payload }) => payload.readUInt32BE(4))).toEqual([errorCodes[code]]);
  expect(memory.usedBytes).toBe(0);
});

/** What ends one stream; its neighbour is answered. */
const streamFaults: Readonly<Record<string, Fault>> = {
  'a body past its end': ['STREAM_CLOSED', [open(1, END_STREAM), frame(frameTypes.DATA, 0, 1, '00')]],
  'headers past its end': ['STREAM_CLOSED', [open(1, END_STREAM), open(1, END_STREAM)]],
  'headers in its middle': ['PROTOCOL_ERROR', [open(1), open(1)]],
  'pseudo fields at its end': ['PROTOCOL_ERROR', [open(1), open(1, END_STREAM)]],
  'a window opened by nothing': ['PROTOCOL_ERROR', [open(1), frame(frameTypes.WINDOW_UPDATE, 0, 1, '00000000')]],
  'a window past 2^31': ['FLOW_CONTROL_ERROR', [open(1), frame(frameTypes.WINDOW_UPDATE, 0, 1, '7fffffff')]],
  'a priority of another length': ['FRAME_SIZE_ERROR', [open(1), frame(frameTypes.PRIORITY, 0, 1, '00')]],
  'more than its window': [
    'FLOW_CONTROL_ERROR',
    [open(1), ...Array.from({ length: 4 }, () => frame(frameTypes.DATA, 0, 1, Buffer.alloc(16_384)))],
  ],
  'no method': ['PROTOCOL_ERROR', [open(1, 0, fields(...pseudo.slice(1)))]],
  'an empty path': ['PROTOCOL_ERROR', [open(1, 0, fields(pseudo[0], pseudo[1], [':path', '']))]],
  'a pseudo field twice': ['PROTOCOL_ERROR', [open(1, 0, fields(...pseudo, pseudo[0]))]],
  'a pseudo field of answers': ['PROTOCOL_ERROR', [open(1, 0, fields(...pseudo, [':status', '200']))]],
  'a pseudo field after others': ['PROTOCOL_ERROR', [open(1, 0, fields(...of('a'), ...pseudo))]],
  'a name in capitals': ['PROTOCOL_ERROR', [open(1, 0, fields(...pseudo, ...of('Accept')))]],
  'a field of connections': ['PROTOCOL_ERROR', [open(1, 0, fields(...pseudo, ...of('connection')))]],
  'a line end in a value': ['PROTOCOL_ERROR', [open(1, 0, fields(...pseudo, ['a', 'b\r\nc']))]],
  'a name with a space': ['PROTOCOL_ERROR', [open(1, 0, fields(...pseudo, ...of('a b')))]],
  'te of anything but trailers': ['PROTOCOL_ERROR', [open(1, 0, fields(...pseudo, ...of('te')))]],
};
test.each(Object.entries(streamFaults))('%s ends the stream alone', async (_, [code, bytes]) => {
  // the reader of "more than its window" opens none
  const { port } = await aServer({ listener: (stream, _fields) => void (stream.allow = () => undefined) });
  const raw = aRaw(port);
  raw.send(greeting, ...bytes, open(7), frame(frameTypes.PING, 0, 0, '0000000000000007'));
  await expect.poll(() => raw.ends(frameTypes.PING).length).toBe(1);
  expect(raw.ends(frameTypes.RST_STREAM).map(({ id, payload }) => [id, payload.readUInt32BE(0)])).toEqual([
    [1, errorCodes[code]],
  ]);
  expect(raw.ends(frameTypes.GOAWAY)).toEqual([]);
});
