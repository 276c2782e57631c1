import { getAlert, listAlerts, resolveAlert, silenceAlert } from '#contracts/alerts';
import { nounOf } from '../noun-command.ts';

export const alert = nounOf({
  sample: 'late-arrival/performance',
  list: listAlerts,
  show: getAlert,
  empty: 'There is no alert.',
  named: (row) => row.reference.replace(/^alert:/, ''),
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
      example: 'late-arrival/drift --reason "the sensor is back"',
    },
    {
      name: 'silence',
      operation: silenceAlert,
      example: 'late-arrival/drift --for 2d --reason "known"',
    },
  ],
});
