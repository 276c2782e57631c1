import { abortRollout, getRollout, listRollouts, promoteRollout } from '#contracts/rollouts';
import { nounOf } from '../noun-command.ts';

export const rollout = nounOf({
  sample: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb',
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
  further: [
    {
      name: 'promote',
      operation: promoteRollout,
      example: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb --reason "looks well"',
    },
    { name: 'abort', operation: abortRollout, example: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb --reason "complaints"' },
  ],
});
