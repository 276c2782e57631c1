/** RFC 9113, section 6. */
export const frameTypes = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const flags = { ACK: 0x1, END_STREAM: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

export const settings = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** Before the first frame of a client. */
export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Length, type, flags and stream before each payload. */
export const frameHeadBytes = 9;
export const initialWindow = 65_535;
export const maxWindow = 2 ** 31 - 1;
/** What each side takes unless it says otherwise. */
export const usualFrameBytes = 16_384;
export const usualTableBytes = 4_096;

export function writeFrameHead(
  into: Buffer,
  at: number,
  length: number,
  type: number,
  flagBits: number,
  stream: number,
): number {
  into[at] = length >>> 16;
  into[at + 1] = (length >>> 8) & 0xff;
  into[at + 2] = length & 0xff;
  into[at + 3] = type;
  into[at + 4] = flagBits;
  into[at + 5] = stream >>> 24;
  into[at + 6] = (stream >>> 16) & 0xff;
  into[at + 7] = (stream >>> 8) & 0xff;
  into[at + 8] = stream & 0xff;
  return at + frameHeadBytes;
}

export const readUint24 = (bytes: Buffer, at: number): number =>
  ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);

/** 31 bits; the highest is reserved. */
export const readUint31 = (bytes: Buffer, at: number): number => bytes.readUInt32BE(at) & 0x7fff_ffff;
