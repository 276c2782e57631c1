import { getGraph, listGraphs } from '#contracts/graphs';
import { nounOf } from '../noun-command.ts';

export const graph = nounOf({
  sample: 'blend',
  list: listGraphs,
  show: getGraph,
  kind: 'graph',
  empty: 'There is no graph yet: declare one in tidemill.yaml and run "tidemill apply".',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'state', value: (row) => row.state },
    { title: 'version', value: (row) => row.version ?? '' },
    { title: 'members', value: (row) => row.members.join(', ') },
    { title: 'reason', value: (row) => row.reason ?? '' },
  ],
});
