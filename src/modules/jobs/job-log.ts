import { open } from 'node:fs/promises';
import type { SecretBlotter } from '#modules/secrets';
import { logFile } from './job-folders.ts';
import type { Job } from './job-types.ts';

const chunkBytes = 256 * 1024;
const tailBytes = 4 * 1024;
const tailLines = 5;
const longestLine = 400;

/** What parts the output of one attempt from that of the one before. */
export const attemptLine = (attempt: number): string => `--- attempt ${attempt}\n`;
const attemptLines = /^--- attempt \d+\n/m;

/** Reads a piece of a job's output, never splitting a UTF-8 character, with the values of secrets masked. */
export async function readJobLog(
  root: string,
  job: Job,
  offset: number,
  blotter: SecretBlotter,
): Promise<{ readonly text: string; readonly next: number; readonly ended: boolean }> {
  const over = job.state !== 'running' && job.state !== 'queued';
  const file = await open(logFile(root, job), 'r').catch(() => undefined);
  if (file === undefined) return { text: '', next: offset, ended: over };
  try {
    const reach = blotter.reachBytes();
    const start = Math.max(0, offset - reach);
    const length = offset - start + Math.max(chunkBytes, 2 * reach);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start);
    const atEnd = over && bytesRead < length;
    const piece = buffer.subarray(0, bytesRead);
    const whole = atEnd ? piece : piece.subarray(0, wholeCharacters(piece));
    if (whole.length <= offset - start) return { text: '', next: offset, ended: atEnd };
    const { shown, end } = blotter.blot(whole, offset - start, atEnd);
    return { text: shown.toString('utf8'), next: start + end, ended: atEnd };
  } finally {
    await file.close();
  }
}

/** The last lines of the newest attempt, as part of an error's text. */
export async function lastLines(path: string, blotter: SecretBlotter): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - tailBytes);
    const from = Math.max(0, start - blotter.reachBytes());
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    const text = blotter.blot(buffer.subarray(0, bytesRead), start - from, true).shown.toString('utf8');
    const lines = (text.split(attemptLines).at(-1) ?? '').trim().split('\n').slice(-tailLines);
    return lines.map((line) => (line.length > longestLine ? `${line.slice(0, longestLine)}…` : line)).join(' | ');
  } finally {
    await file.close();
  }
}

/** Length without a character that is cut at the end; a whole one may wait too, until the next comes. */
function wholeCharacters(bytes: Buffer): number {
  let at = bytes.length - 1;
  while (at > bytes.length - 4 && at > 0 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at -= 1;
  return ((bytes[at] ?? 0) & 0x80) === 0 ? bytes.length : at;
}
