/**
 * Positions are decimal texts of fixed width, so that they sort as text. '0' is before every event.
 *
 * SQLite has one writer, so the rowid is the order of commits. PostgreSQL hands out sequence numbers in the order of
 * inserts, and transactions commit in another; there a position is the transaction's id followed by the sequence, and
 * readers stop below `pg_snapshot_xmin`, under which every transaction has ended: nothing can appear behind a reader.
 */
const width = 16;

export const beforeEverything = '0';

export interface PostgresPosition {
  readonly xid: number;
  readonly sequence: number;
}

const pad = (value: number): string => String(value).padStart(width, '0');

export const sqlitePosition = (rowid: number): string => pad(rowid);

/** The rowid of a position; anything that is no position is read as far as it is a number, else as the start. */
export const toRowid = (position: string): number => parseDigits(position);

export const toPostgresPosition = ({ xid, sequence }: PostgresPosition): string => pad(xid) + pad(sequence);

export function fromPostgresPosition(position: string): PostgresPosition {
  return position.length <= width
    ? { xid: 0, sequence: 0 }
    : { xid: parseDigits(position.slice(0, -width)), sequence: parseDigits(position.slice(-width)) };
}

function parseDigits(text: string): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
