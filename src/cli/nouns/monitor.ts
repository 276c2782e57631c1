import { getMonitor, labelDrifted, listMonitors, listWindows } from '#contracts/monitoring';
import { listBelow, nounOf } from '../noun-command.ts';

export const monitor = nounOf({
  sample: 'late-arrival',
  list: listMonitors,
  show: getMonitor,
  empty: 'There is no monitor yet: declare one in tidemill.yaml and run "tidemill apply".',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'deployment', value: (row) => row.deployment },
    { title: 'state', value: (row) => row.last?.state },
    { title: 'until', value: (row) => row.last?.end },
    { title: 'waits for', value: (row) => row.waitingFor },
    {
      title: 'why',
      value: (row) =>
        row.last?.verdicts
          .filter(({ state }) => state !== 'ok')
          .map(({ reason }) => reason)
          .join('; '),
    },
  ],
  further: [
    listBelow('windows', listWindows, {
      empty: 'No window has closed yet.',
      columns: [
        { title: 'start', value: (row) => row.start },
        { title: 'end', value: (row) => row.end },
        { title: 'state', value: (row) => row.state },
        { title: 'version', value: (row) => row.version },
        { title: 'predictions', value: (row) => row.predictions },
        { title: 'labelled', value: (row) => row.labelled },
        { title: 'drifted', value: (row) => labelDrifted(row).join(', ') },
      ],
    }),
  ],
});
