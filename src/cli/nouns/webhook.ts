import { getWebhook, listWebhooks } from '#contracts/automation';
import { nounOf } from '../noun-command.ts';

export const webhook = nounOf({
  list: listWebhooks,
  show: getWebhook,
  empty: 'There is no webhook.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'url', value: (row) => row.url },
    { title: 'enabled', value: (row) => row.enabled },
    { title: 'types', value: (row) => row.types.join(', ') },
    { title: 'last', value: (row) => row.lastDelivery?.state },
  ],
});
