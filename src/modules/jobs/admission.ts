import type { WaitingJob } from './jobs-store.ts';

export interface Capacity {
  readonly cpu: number;
  readonly memoryMb: number;
  readonly workerTasks: number;
}

type Claim = Pick<WaitingJob, 'kind' | 'cpu' | 'memoryMb'>;

/**
 * What the machine still holds beside the jobs that run. Commands count by the cores and the memory that they declare,
 * worker tasks by number. A command larger than the machine starts when it is alone.
 */
export function createAdmission(capacity: Capacity, running: readonly Claim[]) {
  let { cpu, memoryMb, workerTasks } = capacity;
  let commands = 0;

  function take(job: Claim): void {
    if (job.kind === 'worker') workerTasks -= 1;
    else {
      cpu -= job.cpu;
      memoryMb -= job.memoryMb;
      commands += 1;
    }
  }
  for (const job of running) take(job);

  return {
    /** Whether nothing more of a kind can start, however small it is. */
    isFull: (kind: Claim['kind']): boolean =>
      kind === 'worker' ? workerTasks < 1 : commands > 0 && (cpu <= 0 || memoryMb <= 0),
    /** Takes room for a job; false when there is none. */
    admit(job: Claim): boolean {
      const fits =
        job.kind === 'worker' ? workerTasks >= 1 : commands === 0 || (job.cpu <= cpu && job.memoryMb <= memoryMb);
      if (fits) take(job);
      return fits;
    },
  };
}
