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
});
