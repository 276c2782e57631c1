import { formatReference } from '#contracts/references';
import type { BlobStore, StoredBlob } from '#platform/blobs';
import type { Clock } from '#platform/clock';
import type { Database, Unit } from '#platform/database';
import {
  beginRemoval,
  condemn,
  deleteRemoving,
  insertStrays,
  listRemoving,
  listStates,
  markLoose,
  markTouched,
  sumUnheld,
} from './artifact-store.ts';
import { deleteExpiredHolds } from './hold-store.ts';
import { collectUploads } from './upload-service.ts';

/**
 * Removes bytes that nothing needs, while the server runs.
 *
 *   held --last hold let go--> loose --24 h--> condemned --1 h--> removing --bytes gone--> (no row)
 *     ^-------------- a new hold -----|------------|                  a new hold is refused: put the bytes again
 *
 * Every step is a guarded update that counts holds again, so that a hold taken meanwhile wins. `removing` comes before
 * the bytes go and the row goes after them: dying in between, the next pass goes on. Bytes without a row (an upload
 * that died before its unit) become loose when they are a day old. Parts of uploads that nobody goes on with go too.
 */
const looseMs = 24 * 3_600_000;
const condemnedMs = 3_600_000;
const batchSize = 500;
const actor = { actor: 'system:artifacts' };

export interface Collected {
  readonly adopted: number;
  readonly expired: number;
  readonly condemned: number;
  readonly removed: number;
  readonly removedBytes: number;
  /** What nothing holds and is not removed yet. */
  readonly waiting: Waiting;
}

interface Waiting {
  readonly artifacts: number;
  readonly bytes: number;
  /** Before this none of them goes; undefined when none waits. */
  readonly nextMs: number | undefined;
}

export interface ArtifactCollector {
  /** One pass; while one is under way, that one. */
  collect(): Promise<Collected>;
}

export function createArtifactCollector(deps: {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}): ArtifactCollector {
  const { database, blobs, clock } = deps;
  let underWay: Promise<Collected> | undefined;

  async function adoptStrays(): Promise<number> {
    let adopted = 0;
    let batch: StoredBlob[] = [];
    for await (const blob of blobs.list()) {
      batch.push(blob);
      if (batch.length < batchSize) continue;
      adopted += await adoptBatch(batch);
      batch = [];
    }
    return adopted + (batch.length === 0 ? 0 : await adoptBatch(batch));
  }

  async function adoptBatch(batch: readonly StoredBlob[]): Promise<number> {
    const known = await listStates(
      database.read,
      batch.map(({ sha256 }) => sha256),
    );
    const oldMs = clock.nowMs() - looseMs;
    const strays = batch.filter(({ sha256, modifiedMs }) => !known.has(sha256) && modifiedMs <= oldMs);
    const putAgain = batch.flatMap(({ sha256, modifiedMs }) => {
      const row = known.get(sha256);
      const waits = row?.state === 'loose' || row?.state === 'condemned';
      return waits && modifiedMs > oldMs && modifiedMs > row.touchedMs ? sha256 : [];
    });
    if (strays.length > 0) await database.write(actor, (unit) => insertStrays(unit, strays, 'default'));
    if (putAgain.length > 0) await database.write(actor, (unit) => markTouched(unit, putAgain));
    return strays.length;
  }

  /** Repeats a batched unit until it finds nothing to do. */
  async function drain(work: (unit: Unit) => Promise<number>): Promise<number> {
    let total = 0;
    for (;;) {
      const count = await database.write(actor, work);
      total += count;
      if (count === 0) return total;
    }
  }

  async function removeCondemned(): Promise<Pick<Collected, 'removed' | 'removedBytes'>> {
    let removed = 0;
    let removedBytes = 0;
    await drain((unit) => beginRemoval(unit, unit.nowMs - condemnedMs, batchSize));
    for (;;) {
      const going = await listRemoving(database.read, batchSize);
      if (going.length === 0) return { removed, removedBytes };
      for (const { sha256 } of going) await blobs.remove(sha256);
      const gone = await database.write(actor, async (unit) => {
        const deleted = await deleteRemoving(
          unit,
          going.map(({ sha256 }) => sha256),
        );
        const told = going.filter(({ sha256 }) => deleted.has(sha256));
        for (const { sha256, sizeBytes, project } of told)
          await unit.emit({
            type: 'artifact.removed',
            project,
            subject: formatReference('artifact', sha256),
            data: { sha256, sizeBytes },
          });
        return told;
      });
      removed += gone.length;
      removedBytes += gone.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    }
  }

  async function sumWaiting(): Promise<Waiting> {
    const loose = await sumUnheld(database.read, 'loose');
    const condemned = await sumUnheld(database.read, 'condemned');
    // a loose one is condemned by a later pass: what was let go since this one at the earliest now
    const looseEnds =
      loose.sinceMs === undefined ? [] : [Math.max(clock.nowMs(), loose.sinceMs + looseMs) + condemnedMs];
    const ends = condemned.sinceMs === undefined ? looseEnds : [...looseEnds, condemned.sinceMs + condemnedMs];
    return {
      artifacts: loose.artifacts + condemned.artifacts,
      bytes: loose.bytes + condemned.bytes,
      nextMs: ends.length === 0 ? undefined : Math.min(...ends),
    };
  }

  async function run(): Promise<Collected> {
    const expired = await database.write(actor, async (unit) => {
      const digests = await deleteExpiredHolds(unit);
      if (digests.length > 0) await markLoose(unit, digests);
      return digests.length;
    });
    await collectUploads(deps);
    const adopted = await adoptStrays();
    const removal = await removeCondemned();
    const condemned = await drain((unit) => condemn(unit, unit.nowMs - looseMs, batchSize));
    return { adopted, expired, condemned, ...removal, waiting: await sumWaiting() };
  }

  return {
    collect() {
      underWay ??= run().finally(() => {
        underWay = undefined;
      });
      return underWay;
    },
  };
}
