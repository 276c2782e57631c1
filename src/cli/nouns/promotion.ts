import { getPromotion, listPromotions } from '#contracts/registry';
import { nounOf } from '../noun-command.ts';

export const promotion = nounOf({
  sample: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb',
  list: listPromotions,
  show: getPromotion,
  empty: 'There is no promotion yet: a pipeline with a model proposes one.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'to', value: (row) => `${row.model}@${row.version}` },
    { title: 'alias', value: (row) => row.alias },
    { title: 'state', value: (row) => row.state },
    { title: 'checks', value: (row) => row.checks.map(({ name, state }) => `${name} ${state}`).join(', ') },
    { title: 'created', value: (row) => row.createdAt },
  ],
});
