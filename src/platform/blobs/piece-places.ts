import { constants } from 'node:fs';
import { type FileHandle, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Piece } from './blob-store.ts';
import { entries, hasCode } from './local-files.ts';

/** No file system of today has larger files: what would lie beyond lies apart. */
const mostWholeBytes = 2 ** 43;

const wholePattern = /^whole-(\d{1,15})$/;
const placedPattern = /^(\d{1,6})-([0-9a-f]{8}-[0-9a-f]{16})@(\d{1,15})$/;

/**
 * Where the pieces of one blob lie, in a folder:
 *
 *   whole-<size>             pieces of this size, each at its place, where the last and shorter one has its own too
 *   <number>-<etag>@<size>   says that this version lies there; empty
 *   <number>-<etag>          a piece apart: of another size, of an unknown one, or put again
 *   <version>.draft          one that is arriving apart
 *
 * The first piece whose size was announced, and is not the last, says what size has a place.
 * One process writes a folder at a time (that of the database that knows of it); a new one finds all in the folder.
 */
export class PiecePlaces {
  readonly folder: string;
  /** What has a place is of this size; undefined until a piece says so. */
  #pieceBytes: number | undefined;
  /** What lies in its place, by number. */
  readonly #placed = new Map<number, Piece>();
  /** Numbers whose place is being written. */
  readonly #claimed = new Set<number>();
  /** Versions whose bytes passed through this process: no power cut came in between. */
  readonly #seen = new Set<string>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async find(folder: string): Promise<PiecePlaces> {
    const places = new PiecePlaces(folder);
    for (const name of await entries(folder)) {
      const [, pieceBytes] = wholePattern.exec(name) ?? [];
      if (pieceBytes !== undefined) places.#pieceBytes = Number(pieceBytes);
      const [, number, etag = '', sizeBytes] = placedPattern.exec(name) ?? [];
      if (number !== undefined)
        places.#placed.set(Number(number), { number: Number(number), etag, sizeBytes: Number(sizeBytes) });
    }
    return places;
  }

  get wholePath(): string {
    return join(this.folder, `whole-${this.#pieceBytes}`);
  }

  apartPath({ number, etag }: Piece): string {
    return join(this.folder, `${number}-${etag}`);
  }

  /** Where in the whole a number begins. */
  startOf(number: number): number {
    return (number - 1) * (this.#pieceBytes ?? 0);
  }

  placed(number: number): Piece | undefined {
    return this.#placed.get(number);
  }

  isPlaced({ number, etag }: Piece): boolean {
    return this.#placed.get(number)?.etag === etag;
  }

  isSeen({ etag }: Piece): boolean {
    return this.#seen.has(etag);
  }

  isClaimed(number: number): boolean {
    return this.#claimed.has(number);
  }

  hasPlace(number: number, sizeBytes: number, pieceCount: number): boolean {
    if (this.#pieceBytes === undefined || this.startOf(number) + sizeBytes > mostWholeBytes) return false;
    return number < pieceCount ? sizeBytes === this.#pieceBytes : sizeBytes <= this.#pieceBytes;
  }

  /** Whether a piece that arrives goes to its place: when it has one that is free. It may be the first to say the size. */
  isFree(number: number, sizeBytes: number, pieceCount: number): boolean {
    if (sizeBytes > 0 && (number < pieceCount || pieceCount === 1)) this.#pieceBytes ??= sizeBytes;
    return this.hasPlace(number, sizeBytes, pieceCount) && !this.#placed.has(number) && !this.#claimed.has(number);
  }

  /** Nobody else writes to these places until the work is done. */
  async claiming<T>(numbers: readonly number[], work: () => Promise<T>): Promise<T> {
    for (const number of numbers) this.#claimed.add(number);
    try {
      return await work();
    } finally {
      for (const number of numbers) this.#claimed.delete(number);
    }
  }

  async markPlaced(piece: Piece): Promise<void> {
    await writeFile(this.#markerPath(piece), '');
    this.#placed.set(piece.number, piece);
    this.#seen.add(piece.etag);
  }

  /** Its place is free again. */
  async forgetPlaced(piece: Piece): Promise<void> {
    if (!this.isPlaced(piece)) return;
    this.#placed.delete(piece.number);
    await rm(this.#markerPath(piece), { force: true });
  }

  /** The whole for writing; undefined when it is the file of a blob already, which must not change, or is not there. */
  async openWhole(flags = 0): Promise<FileHandle | undefined> {
    try {
      const file = await open(this.wholePath, constants.O_WRONLY | constants.O_NOFOLLOW | flags, 0o644);
      const { nlink, mode } = await file.stat();
      if (nlink === 1 && (mode & 0o222) !== 0) return file;
      await file.close();
    } catch (error) {
      if (!hasCode(error, 'EACCES') && !hasCode(error, 'ENOENT')) throw error;
    }
    return undefined;
  }

  #markerPath(piece: Piece): string {
    return `${this.apartPath(piece)}@${piece.sizeBytes}`;
  }
}
