import { experimentDeletion } from '#contracts/purge';
import { getExperiment, listExperiments, listTrackingRuns } from '#contracts/tracking';
import type { Client } from '../../sdk/index.ts';
import { listBelow, nounOf } from '../noun-command.ts';
import { runColumns } from './tracking-run.ts';

/** By its id, whatever became of it, or by a name that was given for one. */
async function explain(client: Client, wanted: string): Promise<string | undefined> {
  for (const lifecycle of ['active', 'deleted'] as const)
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const query = { lifecycle, limit: 500, ...(cursor !== undefined && { cursor }) };
      const { items, next } = await client.call(listExperiments, { query });
      const found = items.find(({ id, name }) => id === wanted || name === wanted);
      cursor = next;
      if (found === undefined) continue;
      const state =
        lifecycle === 'deleted'
          ? `is deleted: "tidemill experiment restore ${found.id}" brings it back`
          : 'is not deleted';
      return found.id === wanted
        ? `experiment ${found.id} ("${found.name}") ${state}`
        : `there is no experiment with the id "${wanted}"; the one of that name has the id ${found.id}${lifecycle === 'deleted' ? ` and ${state}` : ''}`;
    }
  return undefined;
}

export const experiment = nounOf({
  explain,
  sample: '0',
  list: listExperiments,
  show: getExperiment,
  empty: ({ lifecycle }) =>
    lifecycle === 'deleted'
      ? 'No experiment is deleted: there is none to restore or to purge.'
      : 'There is no experiment yet: the first run of a pipeline or of an MLflow client makes one.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'name', value: (row) => row.name },
    { title: 'created', value: (row) => row.createdAt },
    { title: 'deleted', value: (row) => row.deletedAt },
  ],
  examples: ['--lifecycle deleted'],
  further: [
    listBelow('runs', listTrackingRuns, {
      empty: ({ lifecycle }) => (lifecycle === 'deleted' ? 'No run of it is deleted.' : 'It has no run yet.'),
      columns: runColumns,
    }),
    { name: 'delete', operation: experimentDeletion.remove, example: '12' },
    { name: 'restore', operation: experimentDeletion.restore, example: '12', among: { lifecycle: 'deleted' } },
  ],
});
