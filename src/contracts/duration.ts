const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** Durations as people write them: `90s`, `3h`, `28d`; parts may be combined, `1d12h`. */
export const durationPattern = '^(?:\\d+(?:ms|s|m|h|d|w))+$';

/** Milliseconds of a duration; undefined when the text is none. */
export function parseDuration(text: string): number | undefined {
  if (!new RegExp(durationPattern).test(text)) return undefined;
  let totalMs = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|m|h|d|w)/g))
    totalMs += Number(count) * unitsMs[unit as keyof typeof unitsMs];
  return totalMs;
}
