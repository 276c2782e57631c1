import type { Command } from 'commander';
import type { Progress } from '../transfer/progress.ts';
import type { CliContext } from './context.ts';
import { createProgressLine } from './progress-line.ts';
import { bytesText, plural } from './words.ts';

/** Work with a line of how far it is. */
export async function withProgress<T>(
  { output, stderr }: CliContext,
  command: Command,
  work: (onProgress: (progress: Progress) => void) => Promise<T>,
): Promise<T> {
  const { json, quiet } = command.optsWithGlobals<{ readonly json?: boolean; readonly quiet?: boolean }>();
  const line = createProgressLine(output, stderr, json === true || quiet === true);
  const beganMs = performance.now();
  try {
    return await work((progress) => line.show(() => formatProgress(progress, (performance.now() - beganMs) / 1000)));
  } finally {
    line.end();
  }
}

function formatProgress(progress: Progress, seconds: number): string {
  const { experiments, experimentsInAll, runs, passedBy, points, files, fileBytes } = progress;
  const rate = (count: number) => Math.round(count / Math.max(seconds, 0.001));
  return [
    `${experiments}/${plural(experimentsInAll, 'experiment')}`,
    `${plural(runs, 'run')}${passedBy > 0 ? ` (${passedBy} unchanged)` : ''}`,
    `${plural(points, 'point')} (${rate(points)}/s)`,
    `${plural(files, 'file')}, ${bytesText(fileBytes)}`,
  ].join(' · ');
}
