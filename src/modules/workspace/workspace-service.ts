import { createHash } from 'node:crypto';
import { Compile } from 'typebox/compile';
import type { GoalSpec } from '#contracts/projects';
import { defaultProject, formatReference } from '#contracts/references';
import { encodeTree, isInsidePath, type TreeFile, TreeManifest } from '#contracts/tree';
import { largestTextBytes, type ResourceDifference } from '#contracts/workspace';
import type { ArtifactsApi } from '#modules/artifacts';
import type { LineageApi } from '#modules/lineage';
import type { ProjectsApi } from '#modules/projects';
import type { BlobStore } from '#platform/blobs';
import type { Database, Reader, Unit, WriteContext } from '#platform/database';
import type { ResourceKind, Snapshot, WorkspaceDocument } from '#platform/resource-kind';
import { parseWorkspaceDocument } from './parse-document.ts';
import { workspaceErrors } from './workspace-errors.ts';
import { deleteApplied, findSnapshot, listApplied, putApplied, putSnapshot } from './workspace-store.ts';

export interface WorkspaceDeps {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly artifacts: Pick<ArtifactsApi, 'retain' | 'assertReadable' | 'missing'>;
  readonly lineage: Pick<LineageApi, 'record'>;
  readonly projects: Pick<ProjectsApi, 'find' | 'setGoal'>;
  /** In the order in which they are applied: what is referred to comes first. */
  readonly kinds: readonly ResourceKind<never>[];
}

export interface Sent {
  readonly project: string;
  readonly document: string;
  readonly prune: boolean;
}

/** The files of a project that are not kept. */
export interface LooseFiles {
  readonly files: readonly TreeFile[];
  readonly texts: ReadonlyMap<string, string>;
}

export interface Applied {
  readonly differences: readonly ResourceDifference[];
  readonly codeChanged: boolean;
  readonly sources: readonly { readonly dataset: string; readonly source: string }[];
}

export interface Planned {
  readonly project: string;
  /** False: what is declared is compared with nothing. */
  readonly exists: boolean;
  readonly differences: readonly ResourceDifference[];
  readonly codeChanged: boolean;
}

export interface WorkspaceService {
  /**
   * Writes and keeps nothing. In the default project also for a document whose project is not there yet.
   * @throws WORKSPACE_INVALID, WORKSPACE_PROJECT_MISMATCH
   */
  diff(sent: Sent, loose: LooseFiles): Promise<Planned>;
  /** @throws WORKSPACE_INVALID, WORKSPACE_PROJECT_MISMATCH, WORKSPACE_SNAPSHOT_UNREADABLE, ARTIFACT_NOT_FOUND */
  apply(context: WriteContext, sent: Sent, snapshot: string): Promise<Applied>;
}

export function createWorkspaceService(deps: WorkspaceDeps): WorkspaceService {
  async function readSnapshot(project: string, digest: string): Promise<LooseFiles> {
    await deps.artifacts.assertReadable(deps.database.read, project, digest);
    const manifest = readManifest(digest, await deps.blobs.readAll(digest));
    const digests = [...new Set(manifest.files.map(({ sha256 }) => sha256))];
    const [missing] = await deps.artifacts.missing(deps.database.read, project, digests);
    if (missing !== undefined) await deps.artifacts.assertReadable(deps.database.read, project, missing);
    return { files: manifest.files, texts: await readTexts(deps.blobs, manifest.files) };
  }

  function parse(path: string, { files, texts }: LooseFiles): { document: WorkspaceDocument; goal: unknown } {
    const parsed = parseWorkspaceDocument(
      path,
      (file) => texts.get(file),
      files.map((file) => file.path),
      deps.kinds,
    );
    if (!parsed.ok) throw workspaceErrors.WORKSPACE_INVALID(parsed.problems);
    return parsed;
  }

  return {
    async diff(sent, loose) {
      const { document, goal } = parse(sent.document, loose);
      const { project } = document;
      const { read: reader } = deps.database;
      const exists = (await deps.projects.find(reader, project)) !== undefined;
      if (project !== sent.project && (exists || sent.project !== defaultProject))
        throw workspaceErrors.WORKSPACE_PROJECT_MISMATCH(project, sent.project);
      const digest = createHash('sha256').update(encodeTree(loose.files)).digest('hex');
      return {
        project,
        exists,
        differences: [
          ...(await goalDifference(reader, project, goal)),
          ...(await compare(reader, { ...sent, project }, document)),
        ],
        codeChanged: (await findSnapshot(reader, project))?.snapshot !== digest,
      };
    },

    async apply(context, sent, digest) {
      const kept = await readSnapshot(sent.project, digest);
      const { document, goal } = parse(sent.document, kept);
      if (document.project !== sent.project)
        throw workspaceErrors.WORKSPACE_PROJECT_MISMATCH(document.project, sent.project);
      const snapshot: Snapshot = { digest, files: kept.files, readText: (path) => kept.texts.get(path) };
      return deps.database.write(context, async (unit) => {
        const goals = await goalDifference(unit, sent.project, goal);
        if (goals.some(({ change }) => change !== 'unchanged'))
          await deps.projects.setGoal(unit, sent.project, goal as GoalSpec | undefined);
        const differences = await compare(unit, sent, document);
        for (const kind of deps.kinds) await applyKind(unit, kind, sent.project, differences, snapshot);
        const touched = differences.filter(({ change }) => change === 'create' || change === 'change');
        await deps.lineage.record(
          unit,
          sent.project,
          touched.map(({ resource }) => ({ from: `snapshot:${snapshot.digest}`, to: resource, kind: 'declared' })),
        );
        const before = await findSnapshot(unit, sent.project);
        const codeChanged = before?.snapshot !== snapshot.digest;
        if (codeChanged) {
          for (const kind of deps.kinds) await kind.applySnapshot?.(unit, sent.project, snapshot);
          await keepSnapshot(unit, sent.project, snapshot);
        }
        const all = [...goals, ...differences];
        const changes = all.filter(
          ({ change }) => change === 'create' || change === 'change' || change === 'prune',
        ).length;
        if (changes > 0 || codeChanged)
          await unit.emit({
            type: 'workspace.applied',
            project: sent.project,
            subject: `snapshot:${snapshot.digest}`,
            data: { snapshot: snapshot.digest, changes },
          });
        return { differences: all, codeChanged, sources: sourcesOf(document) };
      });
    },
  };

  async function goalDifference(
    reader: Reader,
    project: string,
    goal: unknown,
  ): Promise<readonly ResourceDifference[]> {
    const before = (await deps.projects.find(reader, project))?.goal;
    if (before === undefined && goal === undefined) return [];
    const change = same(before, goal) ? 'unchanged' : before === undefined ? 'create' : 'change';
    return [{ resource: `project:${project}`, change, before, after: goal, drifted: false }];
  }

  /** Every resource that is declared or stored, with what applying would do to it. */
  async function compare(
    reader: Reader,
    sent: Sent,
    document: WorkspaceDocument,
  ): Promise<readonly ResourceDifference[]> {
    const differences: ResourceDifference[] = [];
    for (const kind of deps.kinds) {
      const current: ReadonlyMap<string, unknown> = await kind.current(reader, sent.project);
      const applied = await listApplied(reader, sent.project, kind.section);
      const desired = document.sections[kind.section] ?? {};
      for (const name of new Set([...Object.keys(desired), ...current.keys()])) {
        const [before, after] = [current.get(name), desired[name]];
        const lastApplied = applied.get(name);
        differences.push({
          resource: formatReference(kind.kind, name),
          change:
            after === undefined
              ? sent.prune
                ? 'prune'
                : 'absent'
              : before === undefined
                ? 'create'
                : same(before, after)
                  ? 'unchanged'
                  : 'change',
          ...(before !== undefined && { before }),
          ...(after !== undefined && { after }),
          drifted: before !== undefined && lastApplied !== undefined && !same(before, lastApplied),
        });
      }
    }
    return differences;
  }

  async function keepSnapshot(unit: Unit, project: string, snapshot: Snapshot): Promise<void> {
    const owner = `snapshot:${snapshot.digest}`;
    const sizeBytes = Buffer.byteLength(encodeTree(snapshot.files));
    await deps.artifacts.retain(unit, { project, sha256: snapshot.digest, sizeBytes, owner });
    for (const file of snapshot.files)
      await deps.artifacts.retain(unit, {
        project,
        sha256: file.sha256,
        sizeBytes: file.sizeBytes,
        owner,
        name: file.path,
      });
    await putSnapshot(unit, project, snapshot.digest);
  }
}

function sourcesOf(document: WorkspaceDocument): Applied['sources'] {
  return Object.entries(document.sections['datasets'] ?? {}).map(([dataset, spec]) => ({
    dataset,
    source: (spec as { readonly source: string }).source,
  }));
}

const compileCheck = () => Compile(TreeManifest);
let compiled: ReturnType<typeof compileCheck> | undefined; // at first use: start-up need not pay for it

/** A caller may name any digest that the project holds: only a list of files is a snapshot. */
function readManifest(digest: string, bytes: Buffer): TreeManifest {
  let found: unknown;
  try {
    found = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw workspaceErrors.WORKSPACE_SNAPSHOT_UNREADABLE(digest, 'it is no list of files');
  }
  compiled ??= compileCheck();
  if (!compiled.Check(found)) throw workspaceErrors.WORKSPACE_SNAPSHOT_UNREADABLE(digest, 'it is no list of files');
  const outside = found.files.find(({ path }) => !isInsidePath(path));
  if (outside !== undefined)
    throw workspaceErrors.WORKSPACE_SNAPSHOT_UNREADABLE(digest, `"${outside.path}" lies outside of its folder`);
  return found;
}

const readsAtOnce = 16;

async function readTexts(blobs: BlobStore, files: TreeManifest['files']): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  const queue = files.filter(({ sizeBytes }) => sizeBytes <= largestTextBytes);
  const one = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const bytes = await blobs.readAll(file.sha256);
      if (!bytes.includes(0)) texts.set(file.path, bytes.toString('utf8'));
    }
  };
  await Promise.all(Array.from({ length: readsAtOnce }, one));
  return texts;
}

/** Equal as JSON, whatever the order of keys. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, index) => same(item, b[index]))
    );
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys.every((key) => same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]));
}

async function applyKind(
  unit: Unit,
  kind: ResourceKind<never>,
  project: string,
  differences: readonly ResourceDifference[],
  snapshot: Snapshot,
): Promise<void> {
  const prefix = `${kind.kind}:`;
  const applied = await listApplied(unit, project, kind.section);
  for (const { resource, change, before, after } of differences) {
    if (!resource.startsWith(prefix) || change === 'absent') continue;
    const name = resource.slice(prefix.length);
    if (change !== 'unchanged')
      await kind.apply(unit, project, {
        name,
        before: before as never,
        after: change === 'prune' ? undefined : (after as never),
        snapshot,
      });
    if (change === 'prune') await deleteApplied(unit, project, kind.section, name);
    else if (!same(applied.get(name), after)) await putApplied(unit, project, kind.section, name, after);
  }
}
