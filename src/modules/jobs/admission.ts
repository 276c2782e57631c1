import type { JobRow } from './jobs-tables.ts';

export interface Capacity {
  readonly cpu: number;
  readonly memoryMb: number;
  readonly workerTasks: number;
}

interface Claim {
  readonly kind: JobRow['kind'];
  readonly cpu: number;
  readonly memoryMb: number;
}

export interface Admission {
  /** Whether nothing more of a kind can start, however small it is. */
  isFull(kind: Claim['kind']): boolean;
  /** How many of a kind are worth looking at: those that fit when each takes a whole core. */
  room(kind: Claim['kind']): number;
  /** Takes room for a job; false when there is none. */
  admit(job: Claim): boolean;
  /** The same room, to be taken apart from this one: a unit of work may run again. */
  copy(): Admission;
}

/**
 * What the machine still holds beside the jobs that run. Commands count by the cores and the memory that they declare,
 * worker tasks by number. A command larger than the machine starts when it is alone.
 */
export function createAdmission(capacity: Capacity, running: readonly Claim[]): Admission {
  let { cpu, memoryMb, workerTasks } = capacity;
  let commands = 0;
  const taken: Claim[] = [];

  function take(job: Claim): void {
    taken.push(job);
    if (job.kind === 'worker') workerTasks -= 1;
    else {
      cpu -= job.cpu;
      memoryMb -= job.memoryMb;
      commands += 1;
    }
  }
  for (const job of running) take(job);

  return {
    isFull: (kind) => (kind === 'worker' ? workerTasks < 1 : commands > 0 && (cpu <= 0 || memoryMb <= 0)),
    room: (kind) => Math.max(1, Math.ceil(kind === 'worker' ? workerTasks : cpu)),
    admit(job) {
      const fits =
        job.kind === 'worker' ? workerTasks >= 1 : commands === 0 || (job.cpu <= cpu && job.memoryMb <= memoryMb);
      if (fits) take(job);
      return fits;
    },
    copy: () => createAdmission(capacity, taken),
  };
}
