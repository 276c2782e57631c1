import { encodeHeaders } from '../http2/header-encoder.ts';
import { type CallStatus, type Names, status } from './status-codes.ts';

const begin: Names = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
];

/** Before the messages of an answer. */
export const answerHeaders = encodeHeaders(begin);
const succeeded: Names = [['grpc-status', '0']];
const plainSuccess = encodeHeaders(succeeded);

/** After the messages of an answer. */
export const answerTrailers = (names: Names | undefined): Buffer =>
  names === undefined ? plainSuccess : encodeHeaders([...succeeded, ...names]);

export const failureTrailers = (told: CallStatus): Buffer => encodeHeaders(statusFields(told));

/** In place of any message. */
export const failureAlone = (told: CallStatus): Buffer => encodeHeaders([...begin, ...statusFields(told)]);

/** To what is no call at all. */
export const httpRefusal = (code: 405 | 415): Buffer => encodeHeaders([[':status', String(code)]]);

/** Encodings of messages that are read, told to who came with another. */
export const acceptedEncodings: Names = [['grpc-accept-encoding', 'identity,deflate,gzip']];

const statusFields = ({ code, details = '', names = [] }: CallStatus): Names => [
  ['grpc-status', String(code)],
  ...(details === '' ? [] : [['grpc-message', encodeDetails(details)] as const]),
  ...(code === status.UNIMPLEMENTED ? acceptedEncodings : []),
  ...names,
];

/** Percent-encoded where it is not printable ASCII: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
const encodeDetails = (text: string): string =>
  /^[ -$&-~]*$/.test(text)
    ? text
    : Array.from(Buffer.from(text), (byte) =>
        byte >= 0x20 && byte <= 0x7e && byte !== 0x25
          ? String.fromCharCode(byte)
          : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
      ).join('');
