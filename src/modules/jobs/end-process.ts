import { readdirSync, readFileSync } from 'node:fs';
import { findProcess, signalGroup, startTimeOf, watchExit } from '#platform/processes';

const graceMs = 10_000;

/** The variable by which an attempt's processes are known, also those that left its process group. */
export const attemptVariable = 'TIDEMILL_ATTEMPT';

/** SIGTERM, a time to tidy up, SIGKILL: to everything that the attempt started. */
export async function endProcesses(folder: string, attempt: string): Promise<void> {
  const started = await findProcess(folder);
  if (started !== undefined && signalGroup(started.pid, 'SIGTERM'))
    await watchExit(folder, AbortSignal.timeout(graceMs)).catch(() => undefined);
  if (started !== undefined) signalGroup(started.pid, 'SIGKILL');
  for (const pid of findMarked(`${attemptVariable}=${attempt}`)) kill(pid);
}

/**
 * Ends what the command started and left behind, after it has ended or was lost. The group's number stays ours while
 * one of its processes lives, in this boot; it is left alone when another process has the leader's number.
 */
export async function endLeftovers(folder: string): Promise<void> {
  const started = await findProcess(folder);
  if (started === undefined) return;
  const leader = startTimeOf(started.pid);
  const sameBoot = bootOf(started.startTime) === bootOf(startTimeOf(process.pid) ?? '');
  if (sameBoot && (leader === undefined || leader === started.startTime)) signalGroup(started.pid, 'SIGKILL');
}

const bootOf = (startTime: string): string => (startTime.includes('/') ? (startTime.split('/')[0] ?? '') : '');

/** Processes with a variable in their environment; none where there is no /proc. */
function findMarked(variable: string): readonly number[] {
  const found: number[] = [];
  for (const name of listProcesses()) {
    try {
      if (readFileSync(`/proc/${name}/environ`, 'latin1').split('\0').includes(variable)) found.push(Number(name));
    } catch {
      // it has ended, or is another user's
    }
  }
  return found;
}

function listProcesses(): readonly string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}
