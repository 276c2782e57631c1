import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

const ours = /^worker-(\d+)$/;

/** This process's own folder for what does not fit into memory. Folders of workers that were killed are removed. */
export async function openSpillFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    const pid = ours.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(folder, name), { recursive: true, force: true });
  }
  return join(folder, `worker-${process.pid}`);
}

/** A number that has been given to another process meanwhile only keeps the folder for longer. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
