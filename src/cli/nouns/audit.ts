import { listAudit, verifyAudit } from '#contracts/audit';
import { nounOf } from '../noun-command.ts';

export const audit = nounOf({
  sample: '',
  list: listAudit,
  empty: 'Nothing has happened in this project yet.',
  columns: [
    { title: 'at', value: (row) => row.event.at },
    { title: 'type', value: (row) => row.event.type },
    { title: 'subject', value: (row) => row.event.subject },
    { title: 'by', value: (row) => row.event.actor },
    { title: 'seal', value: (row) => row.seal?.sequence },
  ],
  further: [{ name: 'verify', operation: verifyAudit }],
});
