import { defineErrors } from '../errors.ts';

export const blobErrors = defineErrors({
  BLOB_NOT_FOUND: {
    kind: 'not_found',
    message: (sha256: string) => `there is no blob ${sha256} in the store`,
    help: 'Upload the bytes again, or restore the blobs folder from the backup that belongs to this database.',
  },
  BLOB_NAME_INVALID: {
    kind: 'invalid',
    message: (sha256: string) => `"${sha256.slice(0, 80)}" is not a SHA-256 in 64 lower-case hexadecimal digits`,
  },
  BLOB_DIGEST_MISMATCH: {
    kind: 'invalid',
    message: (expected: string, actual: string) =>
      `the bytes have SHA-256 ${actual}, not ${expected}: they changed on the way or on disk; send them again`,
  },
  BLOB_TOO_LARGE: {
    kind: 'too_large',
    message: (maxBytes: number) => `the upload is larger than the ${maxBytes} bytes that are allowed`,
    help: 'Send a smaller file, or start the server with a larger `--upload-limit-bytes`.',
  },
  BLOB_RANGE_INVALID: {
    kind: 'invalid',
    message: (start: number, sizeBytes: number) => `the range starts at ${start}, the blob has ${sizeBytes} bytes`,
  },
  BLOB_PIECE_LOST: {
    kind: 'conflict',
    message: (number: number) =>
      `part ${number} of the upload is not what was received: it was removed, or a power cut took it; send it again`,
  },
  BLOB_PIECE_SHORT: {
    kind: 'invalid',
    message: (number: number, announced: number, sizeBytes: number) =>
      `part ${number} of the upload brought ${sizeBytes} of ${announced} bytes: send it again`,
  },
  DISK_FULL: {
    kind: 'unavailable',
    message: (folder: string) =>
      `the disk that holds ${folder} is full: free space or move the home folder, then retry`,
  },
  BLOB_STORE_UNUSABLE: {
    kind: 'invalid',
    message: (place: string, reason: string) => `the blob store ${place} cannot be used: ${reason}`,
    help: 'Correct `--blobs`, `--s3-endpoint` or the AWS_* variables; `tidemill doctor` tries them without starting.',
  },
  BLOB_STORE_UNAVAILABLE: {
    kind: 'unavailable',
    message: (place: string, what: string) => `the blob store ${place} failed to ${what}; try again`,
    help: 'The log of the server has the answer of the S3 server. Nothing was recorded: a retry is safe.',
  },
});

const digestPattern = /^[0-9a-f]{64}$/;

export const isDigest = (text: string): boolean => digestPattern.test(text);

/** Of a piece whose size was announced; that it has more is refused on the way. */
export function checkPieceSize(number: number, announced: number | undefined, sizeBytes: number): void {
  if (announced !== undefined && sizeBytes < announced) throw blobErrors.BLOB_PIECE_SHORT(number, announced, sizeBytes);
}

export function checkDigest(sha256: string): void {
  if (!isDigest(sha256)) throw blobErrors.BLOB_NAME_INVALID(sha256);
}
