import { experimentDeletion } from '#contracts/purge';
import { getExperiment, listExperiments, listTrackingRuns } from '#contracts/tracking';
import { listBelow, nounOf } from '../noun-command.ts';
import { runColumns } from './tracking-run.ts';

export const experiment = nounOf({
  sample: '0',
  list: listExperiments,
  show: getExperiment,
  empty: ({ lifecycle }) =>
    lifecycle === 'deleted'
      ? 'No experiment is deleted: there is none to restore or to purge.'
      : 'There is no experiment yet: the first run of a pipeline or of an MLflow client makes one.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'name', value: (row) => row.name },
    { title: 'created', value: (row) => row.createdAt },
    { title: 'deleted', value: (row) => row.deletedAt },
  ],
  examples: ['--lifecycle deleted'],
  further: [
    listBelow('runs', listTrackingRuns, {
      empty: ({ lifecycle }) => (lifecycle === 'deleted' ? 'No run of it is deleted.' : 'It has no run yet.'),
      columns: runColumns,
    }),
    { name: 'delete', operation: experimentDeletion.remove, example: '12' },
    { name: 'restore', operation: experimentDeletion.restore, example: '12', among: { lifecycle: 'deleted' } },
  ],
});
