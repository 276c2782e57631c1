import { trackingRunDeletion } from '#contracts/purge';
import { countTrackingRuns, getTrackingRun, searchTrackingRuns, type TrackingRunView } from '#contracts/tracking';
import { nounOf } from '../noun-command.ts';
import { type Column, roundedNumber } from '../output.ts';

export const shortMetrics = (metrics: TrackingRunView['metrics']): string =>
  metrics.map(({ key, value }) => `${key}=${typeof value === 'number' ? roundedNumber(value) : value}`).join(', ');

export const runColumns: readonly Column<TrackingRunView>[] = [
  { title: 'id', value: (row) => row.id },
  { title: 'name', value: (row) => row.name },
  { title: 'status', value: (row) => row.status },
  {
    title: 'metrics',
    value: (row) => row.metrics.map(({ key, value }) => `${key}=${value}`).join(', '),
    short: (row) => shortMetrics(row.metrics),
    aside: true,
  },
  {
    title: 'params',
    value: (row) => row.params.map(({ key, value }) => `${key}=${value}`).join(', '),
    aside: true,
  },
  { title: 'started', value: (row) => row.startedAt },
  { title: 'deleted', value: (row) => row.deletedAt },
];

export const trackingRun = nounOf({
  sample: '3f2b9c0d4e5f60718293a4b5c6d7e8f9',
  list: searchTrackingRuns,
  show: getTrackingRun,
  empty: ({ lifecycle }) =>
    lifecycle === 'deleted'
      ? 'No run that was deleted matches. Those of a deleted experiment: --experiments <its id> --lifecycle all.'
      : 'No run matches: leave the filter out, or log one with a pipeline or an MLflow client.',
  columns: runColumns,
  examples: ['--filter "metrics.auc > 0.7" --order "metrics.auc desc"', '--lifecycle deleted'],
  further: [
    {
      name: 'count',
      operation: countTrackingRuns,
      example: '--filter "metrics.auc > 0.7"',
      view: ({ count }: { count: number }) => String(count),
      quiet: ({ count }: { count: number }) => String(count),
    },
    { name: 'delete', operation: trackingRunDeletion.remove },
    { name: 'restore', operation: trackingRunDeletion.restore, among: { lifecycle: 'deleted' } },
  ],
});
