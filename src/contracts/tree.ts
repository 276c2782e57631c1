import { type Static, Type } from 'typebox';

/**
 * A folder by content: a snapshot's code, a step's output of kind `dir`. The manifest is a blob of its own, canonical
 * JSON with the files sorted by path, so that equal folders have equal digests.
 */
export const TreeFile = Type.Object({
  /** Relative, `/` between parts, never `..`. */
  path: Type.String({ minLength: 1, maxLength: 1024 }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  sizeBytes: Type.Integer({ minimum: 0 }),
  executable: Type.Optional(Type.Boolean()),
});
export type TreeFile = Static<typeof TreeFile>;

export const TreeManifest = Type.Object({ tree: Type.Literal(1), files: Type.Array(TreeFile) });
export type TreeManifest = Static<typeof TreeManifest>;

/** The bytes whose digest names the tree. */
export function encodeTree(files: readonly TreeFile[]): string {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return JSON.stringify({
    tree: 1,
    files: sorted.map(({ path, sha256, sizeBytes, executable }) => ({
      path,
      sha256,
      sizeBytes,
      ...(executable === true && { executable }),
    })),
  });
}

/** Whether a path stays inside the folder that it is relative to. */
export function isInsidePath(path: string): boolean {
  return (
    path !== '' &&
    !path.startsWith('/') &&
    !path.includes('\\') &&
    !path.includes('\0') &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}
