import { getRollout, listRollouts } from '#contracts/rollouts';
import { nounOf } from '../noun-command.ts';

export const rollout = nounOf({
  list: listRollouts,
  show: getRollout,
  empty: 'There is no rollout yet: one starts when an alias moves that a deployment follows.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'deployment', value: (row) => row.deployment },
    { title: 'to', value: (row) => `${row.model}@${row.version}` },
    { title: 'state', value: (row) => row.state },
    { title: 'percent', value: (row) => row.percent },
    { title: 'started', value: (row) => row.startedAt },
    { title: 'reason', value: (row) => row.reason },
  ],
});
