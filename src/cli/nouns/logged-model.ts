import { loggedModelDeletion } from '#contracts/purge';
import { getLoggedModel, listLoggedModels } from '#contracts/tracking';
import { nounOf } from '../noun-command.ts';
import { shortMetrics } from './tracking-run.ts';

export const loggedModel = nounOf({
  sample: 'm-3f2b9c0d4e5f60718293a4b5c6d7e8f9',
  list: listLoggedModels,
  show: getLoggedModel,
  empty: ({ lifecycle }) =>
    lifecycle === 'deleted'
      ? 'No logged model that was deleted matches. Those of a deleted experiment: --experiments <its id> --lifecycle all.'
      : 'No logged model matches: leave the filter out, or log one with log_model of an MLflow client of version 3.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'name', value: (row) => row.name },
    { title: 'status', value: (row) => row.status },
    { title: 'experiment', value: (row) => row.experimentId },
    { title: 'run', value: (row) => row.run },
    {
      title: 'metrics',
      value: (row) => row.metrics.map(({ key, value }) => `${key}=${value}`).join(', '),
      short: (row) => shortMetrics(row.metrics),
      aside: true,
    },
    { title: 'created', value: (row) => row.createdAt },
    { title: 'deleted', value: (row) => row.deletedAt },
  ],
  examples: ['--experiments 1 --filter "metrics.auc > 0.7"', '--lifecycle deleted'],
  further: [
    { name: 'delete', operation: loggedModelDeletion.remove },
    { name: 'restore', operation: loggedModelDeletion.restore, among: { lifecycle: 'deleted' } },
  ],
});
