import { getApproval, listApprovals } from '#contracts/approvals';
import { nounOf } from '../noun-command.ts';

export const approval = nounOf({
  list: listApprovals,
  show: getApproval,
  empty: 'There is nothing to approve.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'subject', value: (row) => row.subject },
    { title: 'policy', value: (row) => row.policy },
    { title: 'state', value: (row) => row.state },
    { title: 'requested by', value: (row) => row.requestedBy },
    { title: 'requested', value: (row) => row.requestedAt },
  ],
});
