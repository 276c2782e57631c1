import type { AttemptOutcome, Job } from './job-types.ts';

const defaultBackoffMs = 1_000;
const longestBackoffMs = 5 * 60_000;
/**
 * An attempt that vanished says nothing about the work itself: it is tried again even when no retries were asked for. Not for
 * ever, since it may be what brings its process down.
 */
const freeLostRetries = 4;

/** Milliseconds to wait before the next attempt; undefined when there is none. Back-off doubles from attempt to attempt. */
export function retryDelayMs(
  job: Pick<Job, 'attempt' | 'retries'>,
  outcome: AttemptOutcome['kind'],
): number | undefined {
  const cause = ({ failed: 'error', 'timed-out': 'timeout', lost: 'lost' } as const)[
    outcome as 'failed' | 'timed-out' | 'lost'
  ];
  if (cause === undefined) return undefined;
  const allowed = job.retries?.on.includes(cause) === true ? job.retries.max : 0;
  const limit = cause === 'lost' ? Math.max(allowed, freeLostRetries) : allowed;
  if (job.attempt > limit) return undefined;
  if (cause === 'lost' && job.attempt === 1) return 0; // a server that was restarted need not wait
  return Math.min(longestBackoffMs, (job.retries?.backoffMs ?? defaultBackoffMs) * 2 ** (job.attempt - 1));
}
