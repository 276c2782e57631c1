import { fireTrigger, getTrigger, listFirings, listTriggers } from '#contracts/automation';
import { listBelow, nounOf } from '../noun-command.ts';

export const trigger = nounOf({
  sample: 'retrain',
  list: listTriggers,
  show: getTrigger,
  empty: 'There is no trigger; declare it under triggers: in tidemill.yaml.',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'when', value: (row) => row.spec.on ?? row.spec.cron },
    { title: 'runs', value: (row) => row.spec.run },
    { title: 'last', value: (row) => row.lastFiring?.state },
    { title: 'next', value: (row) => row.nextAt },
  ],
  further: [
    listBelow(
      'firings',
      listFirings,
      {
        empty: 'No trigger has fired yet.',
        columns: [
          { title: 'id', value: (row) => row.id },
          { title: 'trigger', value: (row) => row.trigger },
          { title: 'state', value: (row) => row.state },
          { title: 'of', value: (row) => row.causeSubject },
          { title: 'run', value: (row) => row.run },
          { title: 'why not', value: (row) => row.reason },
          { title: 'at', value: (row) => row.at },
        ],
      },
      '',
    ),
    { name: 'fire', operation: fireTrigger },
  ],
});
