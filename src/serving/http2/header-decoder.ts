import { usualTableBytes } from './frames.ts';
import { staticTable } from './hpack-tables.ts';
import { errorCodes, Http2Error } from './http2-error.ts';
import { readHuffman } from './huffman.ts';

/** What an entry of a table costs beside its bytes (RFC 7541, 4.1). */
const entryOverhead = 32;

interface Entry {
  readonly name: string;
  readonly value: string;
  readonly size: number;
}

/** Reads the header blocks of one connection, in their order: HPACK, RFC 7541. COMPRESSION_ERROR for what is none. */
export class HeaderDecoder {
  private readonly maxListSize: number;
  /** The newest last. */
  private readonly entries: Entry[] = [];
  private tableSize = 0;
  private tableLimit = usualTableBytes;
  private block: Buffer = Buffer.alloc(0);
  private at = 0;
  private end = 0;

  /** Fields of one block, in bytes with 32 for each, as SETTINGS_MAX_HEADER_LIST_SIZE counts them. */
  constructor(maxListSize: number) {
    this.maxListSize = maxListSize;
  }

  /** Names and values in turn; undefined where they are more than may come. */
  decode(block: Buffer, start: number, end: number): string[] | undefined {
    this.block = block;
    this.at = start;
    this.end = end;
    const fields: string[] = [];
    let listSize = 0;
    while (this.at < end) {
      const first = block[this.at] as number;
      let entry: Entry;
      if (first >= 0x80) entry = this.entryAt(this.readInteger(7));
      else if (first >= 0x40) entry = this.add(this.readLiteral(6));
      else if (first < 0x20) entry = this.readLiteral(4);
      else {
        if (listSize > 0) throw malformed('the size of the table changes within a block');
        this.resize(this.readInteger(5));
        continue;
      }
      listSize += entry.size;
      if (listSize <= this.maxListSize) fields.push(entry.name, entry.value);
    }
    this.block = Buffer.alloc(0); // not held until the next one
    return listSize <= this.maxListSize ? fields : undefined;
  }

  private entryAt(index: number): Entry {
    if (index > staticEntries.length) {
      const entry = this.entries[this.entries.length - (index - staticEntries.length)];
      if (entry !== undefined) return entry;
    } else if (index > 0) return staticEntries[index - 1] as Entry;
    throw malformed(`no field has the index ${index}`);
  }

  private readLiteral(prefix: number): Entry {
    const index = this.readInteger(prefix);
    const name = index === 0 ? this.readText() : this.entryAt(index).name;
    const value = this.readText();
    return { name, value, size: name.length + value.length + entryOverhead };
  }

  private add(entry: Entry): Entry {
    this.entries.push(entry);
    this.tableSize += entry.size;
    this.evict();
    return entry;
  }

  private resize(limit: number): void {
    if (limit > usualTableBytes) throw malformed(`a table of ${limit} bytes is more than was offered`);
    this.tableLimit = limit;
    this.evict();
  }

  private evict(): void {
    while (this.tableSize > this.tableLimit) this.tableSize -= this.entries.shift()?.size ?? 0;
  }

  private readInteger(prefix: number): number {
    const full = 2 ** prefix - 1;
    let value = this.readByte() & full;
    if (value < full) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.readByte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw malformed('a number is too long');
  }

  private readText(): string {
    const isHuffman = this.at < this.end && (this.block[this.at] as number) >= 0x80;
    const length = this.readInteger(7);
    const start = this.at;
    this.at += length;
    if (this.at > this.end) throw malformed('a text is longer than its block');
    return isHuffman ? readHuffman(this.block, start, this.at) : this.block.toString('latin1', start, this.at);
  }

  private readByte(): number {
    if (this.at >= this.end) throw malformed('a block is cut off');
    return this.block[this.at++] as number;
  }
}

const staticEntries: readonly Entry[] = staticTable.map(([name, value]) => ({
  name,
  value,
  size: name.length + value.length + entryOverhead,
}));

const malformed = (message: string): Http2Error => new Http2Error(errorCodes.COMPRESSION_ERROR, message);
