import { getTrigger, listTriggers } from '#contracts/automation';
import { nounOf } from '../noun-command.ts';

export const trigger = nounOf({
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
});
