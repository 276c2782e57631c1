import { Compile } from 'typebox/compile';
import { isInsidePath, TreeManifest } from '#contracts/tree';
import type { Database } from '#platform/database';
import type { PipelinesDeps } from './pipelines-deps.ts';
import { pipelinesErrors } from './pipelines-errors.ts';
import type { RunRequest } from './pipelines-service.ts';

export interface SnapshotDeps {
  readonly database: Pick<Database, 'read'>;
  readonly blobs: PipelinesDeps['blobs'];
  readonly artifacts: Pick<PipelinesDeps['artifacts'], 'assertReadable' | 'missing'>;
}

const compileCheck = () => Compile(TreeManifest);
let compiled: ReturnType<typeof compileCheck> | undefined; // at first use: start-up need not pay for it

/**
 * The code tree that a caller names by its digest. Its files must be the project's own.
 * @throws ARTIFACT_NOT_FOUND, SNAPSHOT_UNREADABLE
 */
export async function readSnapshot(
  { database, blobs, artifacts }: SnapshotDeps,
  project: string,
  digest: string,
): Promise<NonNullable<RunRequest['code']>> {
  await artifacts.assertReadable(database.read, project, digest);
  const manifest = parse((await blobs.readAll(digest)).toString('utf8'));
  compiled ??= compileCheck();
  if (!compiled.Check(manifest)) throw pipelinesErrors.SNAPSHOT_UNREADABLE(digest, 'it is no list of files');
  const outside = manifest.files.find(({ path }) => !isInsidePath(path));
  if (outside !== undefined)
    throw pipelinesErrors.SNAPSHOT_UNREADABLE(digest, `"${outside.path}" lies outside of its folder`);
  const [missing] = await artifacts.missing(
    database.read,
    project,
    manifest.files.map(({ sha256 }) => sha256),
  );
  const file = manifest.files.find(({ sha256 }) => sha256 === missing);
  if (file !== undefined) throw pipelinesErrors.SNAPSHOT_UNREADABLE(digest, `"${file.path}" was not uploaded`);
  return { snapshot: digest, files: manifest.files };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
