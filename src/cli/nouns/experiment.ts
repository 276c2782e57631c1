import { experimentDeletion } from '#contracts/purge';
import { getExperiment, listExperiments, listTrackingRuns } from '#contracts/tracking';
import { listBelow, nounOf } from '../noun-command.ts';
import { runColumns } from './tracking-run.ts';

export const experiment = nounOf({
  sample: '0',
  list: listExperiments,
  show: getExperiment,
  empty: 'There is no experiment yet: the first run of a pipeline or of an MLflow client makes one.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'name', value: (row) => row.name },
    { title: 'created', value: (row) => row.createdAt },
  ],
  further: [
    listBelow('runs', listTrackingRuns, {
      empty: 'It has no run yet.',
      columns: runColumns,
    }),
    { name: 'delete', operation: experimentDeletion.remove, example: '12' },
    { name: 'restore', operation: experimentDeletion.restore, example: '12' },
  ],
});
