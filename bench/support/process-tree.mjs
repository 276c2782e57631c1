import { readdirSync, readFileSync } from 'node:fs';

/** A process and all that it has started, each with its processor time so far in ms; none without /proc. */
export function processTree(root) {
  if (process.platform !== 'linux') return [];
  const all = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      // a tick is 10 ms on every Linux that Node.js runs on
      all.set(Number(pid), { parent: Number(fields[1]), ms: (Number(fields[11]) + Number(fields[12])) * 10, command });
    } catch {
      // it ended meanwhile
    }
  }
  const isOurs = (pid) => pid === root || (all.has(pid) && isOurs(all.get(pid).parent));
  return [...all].filter(([pid]) => isOurs(pid)).map(([pid, { ms, command }]) => ({ pid, ms, command }));
}

/** What a process holds in memory, in MB: pages shared with others counted in part (PSS), and whole (RSS). 0 when it is gone. */
export function memoryMb(pid) {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const of = (field) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? 0) / 1024;
    return { pssMb: of('Pss'), rssMb: of('Rss') };
  } catch {
    return { pssMb: 0, rssMb: 0 };
  }
}
