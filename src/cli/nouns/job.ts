import { cancelJob, getJob, listJobs } from '#contracts/jobs';
import { nounOf } from '../noun-command.ts';

export const job = nounOf({
  sample: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb',
  list: listJobs,
  show: getJob,
  empty: 'There is no job yet.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'owner', value: (row) => row.owner },
    { title: 'tag', value: (row) => row.tag },
    { title: 'state', value: (row) => row.state },
    { title: 'attempt', value: (row) => row.attempt },
    { title: 'created', value: (row) => row.createdAt },
    { title: 'ended', value: (row) => row.endedAt },
  ],
  further: [{ name: 'cancel', operation: cancelJob }],
});
