import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const hasProc = existsSync('/proc/self/stat');

/**
 * A text that, with the pid, names one process for ever: pids are used again, start times with the boot's id are not.
 * Undefined when there is no such process, or only its zombie.
 */
export function startTimeOf(pid: number): string | undefined {
  if (!hasProc) return startTimeByPs(pid);
  const stat = readProc(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : startTimeInStat(stat);
}

/** Whether the very process with this pid and start time still runs. */
export function isAlive(pid: number, startTime: string): boolean {
  return startTimeOf(pid) === startTime;
}

/** From a line of /proc/<pid>/stat. The name in parentheses may hold anything, so fields are counted from its end. */
export function startTimeInStat(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const ticks = fields[19]; // field 22, in clock ticks since boot
  return state === 'Z' || state === 'X' || ticks === undefined ? undefined : `${bootId()}/${ticks}`;
}

let knownBootId: string | undefined; // does not change while any process lives

function bootId(): string {
  knownBootId ??= (readProc('/proc/sys/kernel/random/boot_id') ?? '').trim().slice(0, 8);
  return knownBootId;
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined; // the process has ended
  }
}

function startTimeByPs(pid: number): string | undefined {
  try {
    const [state, ...started] = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .split(/\s+/);
    return state === undefined || state.startsWith('Z') || started.length === 0 ? undefined : started.join(' ');
  } catch {
    return undefined; // ps exits 1 when there is no such process
  }
}
