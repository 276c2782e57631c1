import { readFileSync, writeFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

const priority = constants.priority.PRIORITY_BELOW_NORMAL;
const autogroup = '/proc/self/autogroup';

/**
 * Where processors are short, those who wait for an answer of a plane come before work that is done in the background. Most
 * Linuxes share processors among sessions before they look at priorities ("autogroup"), so that a process with one of its own
 * lowers that too; another's session is left as it is.
 */
export function goBehind(): void {
  if (getPriority() >= priority) return;
  setPriority(priority);
  try {
    if (sessionOf(readFileSync('/proc/self/stat', 'utf8')) === process.pid) writeFileSync(autogroup, String(priority));
  } catch {
    // not Linux, without autogroups, or it was asked for too often: the priority has to do
  }
}

/** `pid (command) state parent group session …`, where the command may hold blanks and brackets. */
function sessionOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
}
