import { createUser, disableUser, getUser, listUsers, setUserRole } from '#contracts/identity';
import { nounOf } from '../noun-command.ts';

export const user = nounOf({
  sample: 'ada',
  list: listUsers,
  show: getUser,
  empty: 'There is no user yet: "tidemill user create <name> --role editor" makes one.',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'roles', value: (row) => row.roles.map(({ project, role }) => `${project}=${role}`).join(', ') },
    { title: 'disabled', value: (row) => row.disabled },
    { title: 'created', value: (row) => row.createdAt },
  ],
  further: [
    { name: 'create', operation: createUser, positional: ['name'], example: 'ada --role editor' },
    { name: 'set-role', operation: setUserRole, example: 'ada --role approver' },
    { name: 'disable', operation: disableUser },
  ],
});
