import { createProject, getProject, listProjects } from '#contracts/projects';
import { nounOf } from '../noun-command.ts';

export const project = nounOf({
  sample: 'flights',
  serverWide: true,
  list: listProjects,
  show: getProject,
  empty: 'There is no project yet.',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'goal', value: (row) => row.goal?.statement },
    { title: 'created', value: (row) => row.createdAt },
  ],
  further: [{ name: 'create', operation: createProject, positional: ['name'] }],
});
