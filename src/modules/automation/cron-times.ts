import { Cron } from 'croner';

/** When a cron pattern fires, in a time zone; a clock change skips no day and fires none twice (croner's rules). */
export interface CronTimes {
  /** The first instant after `afterMs`; undefined when there is none any more. */
  nextMs(afterMs: number): number | undefined;
  /** The last instant up to and with `atMs`, not before `fromMs`. */
  latestMs(fromMs: number, atMs: number): number;
}

const defaultZone = 'UTC';

export function createCronTimes(pattern: string, zone = defaultZone): CronTimes {
  const cron = new Cron(pattern, { timezone: zone, mode: '5-part', paused: true });
  return {
    nextMs: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime(),
    latestMs(fromMs, atMs) {
      // strictly before its reference, in whole seconds
      const before = cron.previousRuns(1, new Date(atMs + 1000))[0]?.getTime();
      return before === undefined || before > atMs ? fromMs : Math.max(fromMs, before);
    },
  };
}

/** What is wrong with a pattern and zone; undefined when they are sound. */
export function cronProblem(
  pattern: string,
  zone = defaultZone,
): { readonly at: 'cron' | 'zone'; readonly message: string } | undefined {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
  } catch {
    return { at: 'zone', message: `"${zone}" is no time zone` };
  }
  try {
    if (createCronTimes(pattern, zone).nextMs(0) !== undefined) return undefined;
    return { at: 'cron', message: `"${pattern}" never fires` };
  } catch (error) {
    return {
      at: 'cron',
      message: `"${pattern}" is no cron pattern: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}
