import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import type { ComparedGroup } from '#contracts/worker-predictions';
import type { LogFile } from '#modules/predictions';
import type { Monitor } from './monitor-store.ts';
import type { MonitoringDeps } from './monitoring-deps.ts';
import { byVersion } from './window-figures.ts';

type Wanted = Pick<WorkerTaskInput<'log-compare'>, 'by' | 'seed' | 'resamples' | 'confidence'> & {
  readonly shadowVersion?: number;
  readonly fromMs?: number;
  readonly toMs?: number;
};

type Group = WorkerTaskOutput<'log-compare'>['total'];

const hourMs = 3_600_000;

/** The live answers beside those of a shadow, on the same rows; without a shadow there is nothing to compare. */
export async function compareWithShadow(
  deps: Pick<MonitoringDeps, 'database' | 'predictions' | 'jobs'>,
  monitor: Monitor,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<{ readonly shadow?: string; readonly groups: ComparedGroup[]; readonly total?: ComparedGroup }> {
  const { database, predictions } = deps;
  const { project, deployment: endpoint } = monitor;
  const progress = await predictions.progress(database.read, project, endpoint);
  const fromMs = wanted.fromMs ?? progress?.firstEventMs;
  const toMs = wanted.toMs ?? (progress?.settledMs === undefined ? undefined : progress.settledMs + 1);
  if (fromMs === undefined || toMs === undefined || fromMs >= toMs) return { groups: [] };
  const range = { project, endpoint, fromMs, toMs };
  const counts = await predictions.counts(database.read, {
    ...range,
    fromMs: Math.floor(fromMs / hourMs) * hourMs,
    role: 'shadow',
  });
  const shadows = byVersion(counts, await predictions.revisions(database.read, project, endpoint));
  const shadow = shadows.find(({ version }) => wanted.shadowVersion === undefined || version === wanted.shadowVersion);
  if (shadow === undefined) return { groups: [] };
  const shadowModel = `model:${shadow.model}@${shadow.version}`;
  const files = await predictions.rows(database.read, range);
  const { by, seed, resamples, confidence } = wanted;
  const input = { by, seed, resamples, confidence, fromMs, toMs, shadowModel };
  const { groups, total } = await deps.jobs.runTask(
    'log-compare',
    { ...input, rows: files.rows.map(pathOf), truths: files.truths.map(pathOf) },
    signal,
  );
  return { shadow: shadowModel, groups: groups.map(toGroup), total: toGroup(total) };
}

const pathOf = ({ sha256 }: LogFile): string => `blob:${sha256}`;

/** The worker's answer is read-only all the way down; a response is not. */
const toGroup = ({ liveModels, ...group }: Group): ComparedGroup => ({ ...group, liveModels: [...liveModels] });
