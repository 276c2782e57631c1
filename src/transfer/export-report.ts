import type { Progress } from './progress.ts';
import type { Source } from './source.ts';

export interface ExportReport {
  readonly to: string;
  readonly progress: Progress;
  /** What MLflow cannot keep there, in words. */
  readonly left: string[];
}

export interface ExportOptions {
  /** Names; all of them without. */
  readonly experiments?: readonly string[] | undefined;
  readonly signal: AbortSignal;
  /** Hears of each step forward; the object is the same all the time. */
  onProgress(progress: Progress): void;
}

/** What a source has and does not give away, in words. */
export const leftIn = async (source: Source): Promise<string[]> =>
  (await source.leftBehind()).map(({ what, count }) => (count > 0 ? `${count} ${what}` : what));
