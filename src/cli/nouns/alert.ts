import { getAlert, listAlerts, resolveAlert, silenceAlert } from '#contracts/alerts';
import { nounOf } from '../noun-command.ts';

export const alert = nounOf({
  sample: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb',
  list: listAlerts,
  show: getAlert,
  empty: 'There is no alert.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'alert', value: (row) => row.reference },
    { title: 'severity', value: (row) => row.severity },
    { title: 'state', value: (row) => row.state },
    { title: 'count', value: (row) => row.count },
    { title: 'opened', value: (row) => row.openedAt },
    { title: 'title', value: (row) => row.title },
  ],
  further: [
    {
      name: 'resolve',
      operation: resolveAlert,
      example: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb --reason "the sensor is back"',
    },
    {
      name: 'silence',
      operation: silenceAlert,
      example: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb --for 2d --reason "known"',
    },
  ],
});
