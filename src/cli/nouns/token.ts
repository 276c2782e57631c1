import { createToken, getToken, listTokens, revokeToken } from '#contracts/identity';
import type { OperationResult } from '#contracts/operation';
import { nounOf } from '../noun-command.ts';
import { formatRecord } from '../output.ts';

type Made = OperationResult<typeof createToken>;

/** It is shown this once. */
const quiet = ({ token: made }: Made): string => made;
const view = (made: Made): string =>
  `${formatRecord(made)}\nThe token is shown this once: keep it now. "tidemill token revoke ${made.info.id}" ends it.`;

/** What a token is, never the token itself. */
export const token = nounOf({
  sample: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb',
  list: listTokens,
  show: getToken,
  empty: 'Nobody has made a token yet; --all shows those of steps and of the data plane.',
  whole: { internal: true },
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'kind', value: (row) => row.kind },
    { title: 'name', value: (row) => row.name },
    { title: 'user', value: (row) => row.user },
    { title: 'role', value: (row) => row.role },
    { title: 'project', value: (row) => row.project ?? 'all' },
    { title: 'created', value: (row) => row.createdAt },
    { title: 'ends', value: (row) => row.expiresAt ?? 'never' },
    { title: 'revoked', value: (row) => row.revokedAt },
  ],
  further: [
    { name: 'create', operation: createToken, positional: ['name'], example: 'ci --role editor', quiet, view },
    { name: 'revoke', operation: revokeToken },
  ],
});
