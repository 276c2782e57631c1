import { open } from 'node:fs/promises';

const magic = Buffer.from('PAR1');
/** Magic, footer length and magic: what even a file without columns has. */
const leastBytes = 12;
const shownBytes = 24;

/**
 * What a file is when it is no Parquet; undefined when it looks like one: magic at both ends and a footer that fits. A
 * few bytes are read, so that a step is told at once; what lies inside is for whoever reads the table.
 */
export async function notParquet(path: string): Promise<string | undefined> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size === 0) return 'an empty file';
    const head = Buffer.alloc(Math.min(size, shownBytes));
    await file.read(head, 0, head.length, 0);
    if (!head.subarray(0, magic.length).equals(magic))
      return `a file of ${size} bytes that begins with ${JSON.stringify(head.toString('latin1').replace(/[^ -~]/g, '.'))}`;
    const tail = Buffer.alloc(8);
    if (size >= leastBytes) await file.read(tail, 0, tail.length, size - tail.length);
    const footerFits = tail.readUInt32LE(0) <= size - leastBytes;
    if (size < leastBytes || !tail.subarray(4).equals(magic) || !footerFits)
      return `a Parquet file that is cut off after ${size} bytes`;
    return undefined;
  } finally {
    await file.close();
  }
}
