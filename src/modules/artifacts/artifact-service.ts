import type { BlobInfo, BlobStore } from '#platform/blobs';
import type { Clock } from '#platform/clock';
import type { Database, Reader, Unit, WriteContext } from '#platform/database';
import { isAppError } from '#platform/errors';
import { markHeld, markLoose } from './artifact-store.ts';
import { artifactErrors } from './artifacts-errors.ts';
import { deleteHolds, deleteHoldsOf, isHeld, listHeld, upsertHolds } from './hold-store.ts';

/** How long an upload is kept for whoever is going to need it. */
const uploadHoldMs = 24 * 3_600_000;
/** A hold that ends sooner is as good as none for a client that is about to use the digest. */
const soonMs = 3_600_000;
/** The owner of what was uploaded and is not needed by anything yet. */
const uploadOwner = 'upload';

export interface NewHold {
  readonly project: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Reference of what needs it: `model:late-arrival@4`, `job:<id>`. */
  readonly owner: string;
  /** What the owner calls it: a path, a role. */
  readonly name?: string;
}

/** Which project holds which digest. The bytes are the blob store's; a hold keeps them from being collected. */
export interface ArtifactsApi {
  /**
   * Holds a digest whose bytes have been put, in the unit that records what needs it; again is no error. A condemned
   * digest comes back. ARTIFACT_REMOVING when its bytes are going at this moment: put them again and retry.
   */
  retain(unit: Unit, hold: NewHold): Promise<void>;
  /** The same for everything that an owner needs; names are left out. */
  retainAll(
    unit: Unit,
    holder: { readonly project: string; readonly owner: string },
    files: readonly BlobInfo[],
  ): Promise<void>;
  /** Lets go of one digest, or of everything that the owner holds; what is not held is no error. */
  release(
    unit: Unit,
    hold: { readonly project: string; readonly owner: string; readonly sha256?: string },
  ): Promise<void>;
  /** Lets go of these digests of an owner. */
  releaseAll(
    unit: Unit,
    holder: { readonly project: string; readonly owner: string },
    digests: readonly string[],
  ): Promise<void>;
  /** Throws ARTIFACT_NOT_FOUND unless the project holds the digest. Ask before every read on a caller's behalf. */
  assertReadable(reader: Reader, project: string, sha256: string): Promise<void>;
  /** Those that the project does not hold, in their order. */
  missing(reader: Reader, project: string, digests: readonly string[]): Promise<readonly string[]>;
  /**
   * After a hold, outside its unit: the bytes may have been removed between their put and the hold. ARTIFACT_REMOVING
   * (retryable) then.
   */
  assertStored(sha256: string): Promise<void>;
  /**
   * Puts bytes and holds them: for work outside a unit whose result needs nothing else recorded with it. `open` is
   * called again when the bytes have to be put again.
   */
  store(
    context: WriteContext,
    hold: Omit<NewHold, 'sha256' | 'sizeBytes'>,
    open: () => AsyncIterable<Uint8Array>,
  ): Promise<BlobInfo>;
}

const storeAttempts = 5;

export function createArtifactService({
  database,
  blobs,
  clock,
}: {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}): ArtifactsApi {
  const api: ArtifactsApi = {
    retain: (unit, wanted) => hold(unit, wanted, undefined),
    retainAll: (unit, holder, files) => holdAll(unit, holder, files, undefined),
    async release(unit, which) {
      const digests = await deleteHolds(unit, which);
      if (digests.length > 0) await markLoose(unit, digests);
    },
    async releaseAll(unit, holder, wanted) {
      const digests = await deleteHoldsOf(unit, holder, wanted);
      if (digests.length > 0) await markLoose(unit, digests);
    },
    async assertReadable(reader, project, sha256) {
      if (!(await isHeld(reader, project, sha256))) throw artifactErrors.ARTIFACT_NOT_FOUND(sha256, project);
    },
    async missing(reader, project, digests) {
      if (digests.length === 0) return [];
      const held = await listHeld(reader, project, digests, clock.nowMs() + soonMs);
      return digests.filter((digest) => !held.has(digest));
    },
    async assertStored(sha256) {
      if ((await blobs.stat(sha256)) === undefined) throw artifactErrors.ARTIFACT_REMOVING(sha256);
    },
    async store(context, wanted, open) {
      for (let attempt = 1; ; attempt += 1) {
        const info = await blobs.putStream(open());
        try {
          await database.write(context, (unit) => api.retain(unit, { ...wanted, ...info }));
          // Held now, so that nothing removes it from here on; it may have gone between the put and the hold.
          if ((await blobs.stat(info.sha256)) !== undefined) return info;
        } catch (error) {
          if (!isAppError(error, 'ARTIFACT_REMOVING') || attempt === storeAttempts) throw error;
        }
        if (attempt === storeAttempts) throw artifactErrors.ARTIFACT_REMOVING(info.sha256);
      }
    },
  };
  return api;
}

/** Holds an upload for a day. */
export const retainUpload = (unit: Unit, upload: { readonly project: string } & BlobInfo): Promise<void> =>
  hold(unit, { ...upload, owner: uploadOwner }, unit.nowMs + uploadHoldMs);

async function hold(
  unit: Unit,
  { sha256, sizeBytes, ...holder }: NewHold,
  expiresMs: number | undefined,
): Promise<void> {
  await holdAll(unit, holder, [{ sha256, sizeBytes }], expiresMs);
}

async function holdAll(
  unit: Unit,
  holder: Pick<NewHold, 'project' | 'owner' | 'name'>,
  files: readonly BlobInfo[],
  expiresMs: number | undefined,
): Promise<void> {
  const sizes = new Map(files.map(({ sha256, sizeBytes }) => [sha256, sizeBytes])); // each digest once
  for (const sha256 of sizes.keys())
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw artifactErrors.ARTIFACT_DIGEST_INVALID(sha256);
  const wanted = [...sizes].map(([sha256, sizeBytes]) => ({ sha256, sizeBytes }));
  const held = await markHeld(unit, holder.project, wanted);
  const going = wanted.find(({ sha256 }) => !held.has(sha256));
  if (going !== undefined) throw artifactErrors.ARTIFACT_REMOVING(going.sha256);
  await upsertHolds(unit, { ...holder, name: holder.name, expiresMs }, [...sizes.keys()]);
}
