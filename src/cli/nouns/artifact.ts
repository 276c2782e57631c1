import { listArtifacts } from '#contracts/artifacts';
import { nounOf } from '../noun-command.ts';

export const artifact = nounOf({
  list: listArtifacts,
  empty: 'The project holds no artifact yet.',
  columns: [
    { title: 'digest', value: (row) => row.sha256 },
    { title: 'bytes', value: (row) => row.sizeBytes },
    { title: 'owner', value: (row) => row.owner },
    { title: 'name', value: (row) => row.name },
    { title: 'created', value: (row) => row.createdAt },
  ],
});
