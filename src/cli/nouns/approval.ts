import { getApproval, listApprovalPolicies, listApprovals, setApprovalPolicy } from '#contracts/approvals';
import { listBelow, nounOf } from '../noun-command.ts';

export const approval = nounOf({
  sample: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb',
  list: listApprovals,
  show: getApproval,
  empty: 'There is nothing to approve.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'subject', value: (row) => row.subject },
    { title: 'about', value: (row) => row.about },
    { title: 'message', value: (row) => row.message },
    { title: 'policy', value: (row) => row.policy },
    { title: 'state', value: (row) => row.state },
    { title: 'requested by', value: (row) => row.requestedBy },
    { title: 'requested', value: (row) => row.requestedAt },
  ],
  further: [
    listBelow(
      'policies',
      listApprovalPolicies,
      {
        empty: 'No policy was set: each asks for a second person.',
        columns: [
          { title: 'name', value: (row) => row.name },
          { title: 'self approval', value: (row) => row.selfApproval },
        ],
      },
      '',
    ),
    { name: 'set-policy', operation: setApprovalPolicy, example: 'risk --no-self-approval' },
  ],
});
