import {
  changeWebhook,
  createWebhook,
  getWebhook,
  listDeliveries,
  listWebhooks,
  removeWebhook,
  retryDelivery,
} from '#contracts/automation';
import { listBelow, nounOf } from '../noun-command.ts';

export const webhook = nounOf({
  sample: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb',
  list: listWebhooks,
  show: getWebhook,
  empty: 'There is no webhook.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'name', value: (row) => row.name },
    { title: 'url', value: (row) => row.url },
    { title: 'format', value: (row) => row.format },
    { title: 'enabled', value: (row) => row.enabled },
    { title: 'types', value: (row) => row.types.join(', ') },
    { title: 'last', value: (row) => row.lastDelivery?.state },
  ],
  further: [
    {
      name: 'create',
      operation: createWebhook,
      positional: ['url'],
      example: 'https://example.org/hook --types alert.opened',
    },
    {
      name: 'change',
      operation: changeWebhook,
      example: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb --types alert.opened alert.resolved --enabled',
    },
    { name: 'remove', operation: removeWebhook },
    listBelow('deliveries', listDeliveries, {
      empty: 'Nothing was sent yet.',
      columns: [
        { title: 'id', value: (row) => row.id },
        { title: 'event', value: (row) => row.eventType },
        { title: 'state', value: (row) => row.state },
        { title: 'attempts', value: (row) => row.attempts },
        { title: 'status', value: (row) => row.status },
        { title: 'error', value: (row) => row.error },
        { title: 'created', value: (row) => row.createdAt },
      ],
    }),
    {
      name: 'retry',
      operation: retryDelivery,
      example: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb 01a21be4-bcd1-7000-882c-b0dc8dc4ceeb',
    },
  ],
});
