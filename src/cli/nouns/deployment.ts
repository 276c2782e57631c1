import { getDeployment, listDeployments, listRevisions } from '#contracts/deployments';
import { getPredictionLog } from '#contracts/predictions';
import { rollbackDeployment } from '#contracts/rollouts';
import { listBelow, nounOf } from '../noun-command.ts';

export const deployment = nounOf({
  sample: 'late-arrival',
  list: listDeployments,
  show: getDeployment,
  empty: 'There is no deployment yet: declare one in tidemill.yaml and run "tidemill apply".',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'state', value: (row) => row.status.state },
    {
      title: 'traffic',
      value: (row) =>
        row.status.traffic
          .map(({ model, version, basisPoints }) => `${model}@${version} ${basisPoints / 100}%`)
          .join(', '),
    },
    { title: 'updated', value: (row) => row.updatedAt },
  ],
  further: [
    listBelow('revisions', listRevisions, {
      empty: 'It has no revision yet: one is made when its model has a version.',
      columns: [
        { title: 'id', value: (row) => row.id },
        { title: 'model', value: (row) => `${row.model}@${row.version}` },
        { title: 'requests', value: (row) => row.requests },
        { title: 'errors', value: (row) => row.errors },
        { title: 'ready', value: (row) => row.readyAt },
        { title: 'why not', value: (row) => row.error },
      ],
    }),
    { name: 'predictions', operation: getPredictionLog },
    { name: 'rollback', operation: rollbackDeployment, example: 'late-arrival --reason "complaints"' },
  ],
});
