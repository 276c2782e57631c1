import { open } from 'node:fs/promises';
import { attemptFolder, logFile } from './command-runner.ts';
import type { Job } from './job-types.ts';

const chunkBytes = 256 * 1024;

/** Reads a piece of the newest attempt's output, never splitting a UTF-8 character. */
export async function readJobLog(
  folder: string,
  job: Job,
  offset: number,
): Promise<{ readonly text: string; readonly next: number; readonly ended: boolean }> {
  const over = job.state !== 'running' && job.state !== 'queued';
  const file = await open(logFile(attemptFolder(folder, job)), 'r').catch(() => undefined);
  if (file === undefined) return { text: '', next: offset, ended: over };
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, offset);
    const end = bytesRead === chunkBytes ? wholeCharacters(buffer) : bytesRead;
    return {
      text: buffer.subarray(0, end).toString('utf8'),
      next: offset + end,
      ended: over && bytesRead < chunkBytes,
    };
  } finally {
    await file.close();
  }
}

/** Length without a character that is cut at the end. */
function wholeCharacters(buffer: Buffer): number {
  let at = buffer.length - 1;
  while (at > buffer.length - 4 && ((buffer[at] ?? 0) & 0xc0) === 0x80) at -= 1;
  return ((buffer[at] ?? 0) & 0x80) === 0 ? buffer.length : at;
}
