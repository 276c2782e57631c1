import { getDeployment, listDeployments } from '#contracts/deployments';
import { nounOf } from '../noun-command.ts';

export const deployment = nounOf({
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
});
