import { defineErrors } from '#platform/errors';

export const artifactErrors = defineErrors({
  ARTIFACT_NOT_FOUND: {
    kind: 'not_found',
    message: (sha256: string, project: string) =>
      `nothing in project "${project}" holds artifact:${sha256}; upload it first`,
  },
  ARTIFACT_DIGEST_INVALID: {
    kind: 'invalid',
    message: (text: string) => `"${text.slice(0, 80)}" is not a SHA-256 in 64 lower-case hexadecimal digits`,
  },
  ARTIFACT_REMOVING: {
    kind: 'unavailable',
    message: (sha256: string) =>
      `artifact:${sha256} was unused for a day and is being removed at this moment; put its bytes again`,
  },
  ARTIFACT_RANGE_INVALID: {
    kind: 'invalid',
    message: (header: string, sizeBytes: number) =>
      `the range "${header.slice(0, 80)}" does not lie within the ${sizeBytes} bytes; send one range, as in "bytes=0-99"`,
  },
  UPLOAD_NOT_FOUND: {
    kind: 'not_found',
    message: (uploadId: string) =>
      `there is no upload ${uploadId.slice(0, 80)} here: it was ended, or brought nothing for a day; begin a new one`,
  },
  UPLOAD_PARTS_WRONG: {
    kind: 'invalid',
    message: (why: string) => `the upload cannot be completed: ${why}`,
  },
  SIGNED_URL_INVALID: {
    kind: 'forbidden',
    message: () => 'this URL is not one that was given out, or its time is over; ask for a new one',
  },
});
