import { blobErrors } from '#platform/blobs';

/** Counts the bytes of an upload while one of its parts arrives. */
export interface PartRoom {
  /** Throws BLOB_TOO_LARGE when the whole upload would take more than is allowed. */
  take(sizeBytes: number): void;
  /** The part counts, in the place of so many bytes. */
  keep(replacedBytes: number): void;
  /** It ended, whether it counts or not. */
  leave(): void;
}

export interface UploadRooms {
  /**
   * @param ownBytes of the part that this one is to replace: they do not count against it
   * @param loadBytes of all parts that arrived before
   */
  enter(uploadId: string, ownBytes: number, loadBytes: () => Promise<number>): Promise<PartRoom>;
}

/** Parts of one upload that arrive at once share the room that there is; what arrived and what is arriving both count. */
export function createUploadRooms(limitBytes: number): UploadRooms {
  const rooms = new Map<string, { takenBytes: number; users: number; readonly loaded: Promise<void> }>();

  return {
    async enter(uploadId, ownBytes, loadBytes) {
      let room = rooms.get(uploadId);
      if (room === undefined) {
        const loading = loadBytes();
        const made = { takenBytes: 0, users: 0, loaded: loading.then((bytes) => void (made.takenBytes += bytes)) };
        rooms.set(uploadId, made);
        room = made;
      }
      const shared = room;
      shared.users += 1;
      let ownTakenBytes = 0;

      function leave(): void {
        shared.takenBytes -= ownTakenBytes;
        ownTakenBytes = 0;
        shared.users -= 1;
        if (shared.users === 0) rooms.delete(uploadId);
      }

      await shared.loaded.catch((error: unknown) => {
        leave();
        throw error;
      });
      return {
        take(sizeBytes) {
          if (shared.takenBytes - ownBytes + sizeBytes > limitBytes) throw blobErrors.BLOB_TOO_LARGE(limitBytes);
          shared.takenBytes += sizeBytes;
          ownTakenBytes += sizeBytes;
        },
        keep(replacedBytes) {
          shared.takenBytes -= replacedBytes;
          ownTakenBytes = 0;
        },
        leave,
      };
    },
  };
}
