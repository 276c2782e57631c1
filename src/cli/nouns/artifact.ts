import { collectArtifacts, getArtifact, listArtifacts } from '#contracts/artifacts';
import { nounOf } from '../noun-command.ts';

export const artifact = nounOf({
  sample: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
  list: listArtifacts,
  show: getArtifact,
  empty: 'The project holds no artifact yet.',
  columns: [
    { title: 'digest', value: (row) => row.sha256 },
    { title: 'bytes', value: (row) => row.sizeBytes },
    { title: 'owner', value: (row) => row.owner },
    { title: 'name', value: (row) => row.name },
    { title: 'created', value: (row) => row.createdAt },
  ],
  further: [{ name: 'collect', operation: collectArtifacts, example: '' }],
});
