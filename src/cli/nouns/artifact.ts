import { type CollectedView, collectArtifacts, getArtifact, listArtifacts } from '#contracts/artifacts';
import { nounOf } from '../noun-command.ts';
import { bytesText, plural } from '../words.ts';

function collectedText({ removed, removedBytes, waiting }: CollectedView): string {
  const gone =
    removed === 0 ? 'Nothing could go yet' : `Removed ${plural(removed, 'artifact')} (${bytesText(removedBytes)})`;
  if (waiting.nextAt === undefined)
    return removed === 0 ? 'Nothing to remove, and nothing waits.' : `${gone}; nothing waits.`;
  const still = `${plural(waiting.artifacts, 'artifact')} (${bytesText(waiting.bytes)})`;
  return [
    `${gone}.`,
    `${still} that nothing needs ${waiting.artifacts === 1 ? 'waits' : 'wait'}, in all projects; the first can go at ${waiting.nextAt}.`,
    'The server collects by itself every ten minutes; what is needed again meanwhile stays.',
  ].join('\n');
}

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
  further: [{ name: 'collect', operation: collectArtifacts, example: '', view: collectedText }],
});
