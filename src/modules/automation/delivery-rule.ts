/** How often a delivery is tried before it has failed: over about two hours. */
export const mostAttempts = 8;
const firstWaitMs = 5_000;
const growth = 3;
const longestWaitMs = 3_600_000;

/** How long to wait after the n-th attempt has failed; undefined: it was the last. */
export function waitAfterAttempt(attempts: number): number | undefined {
  if (attempts >= mostAttempts) return undefined;
  return Math.min(longestWaitMs, firstWaitMs * growth ** (attempts - 1));
}

/** What an answer means: any of the 200s is taken, all else is not. */
export function answerProblem(status: number): string | undefined {
  if (status >= 200 && status < 300) return undefined;
  if (status >= 300 && status < 400) return `it answered ${status}; redirects are not followed`;
  return `it answered ${status}`;
}
