import { getSecret, listSecrets, removeSecret } from '#contracts/secrets';
import { nounOf } from '../noun-command.ts';

/** Values are never shown. */
export const secret = nounOf({
  sample: 'db-password',
  list: listSecrets,
  show: getSecret,
  empty: 'There is no secret yet.',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'may read', value: (row) => row.grants.join(', ') },
    { title: 'updated', value: (row) => row.updatedAt },
  ],
  further: [{ name: 'remove', operation: removeSecret }],
});
