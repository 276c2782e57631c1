import type { Consumer } from '#platform/events';
import { deleteLinksTo } from './pair-store.ts';
import type { TraceService } from './trace-service.ts';

/** What traces lose when what they belong to or came from is purged. */
export function createPurgedConsumers({ deleteTraces }: Pick<TraceService, 'deleteTraces'>): readonly Consumer[] {
  return [
    {
      name: 'traces.purged-experiments',
      types: ['experiment.purged'],
      async handle(unit, { project, data }) {
        await deleteTraces(unit, { project, experimentId: (data as { experimentId: string }).experimentId });
      },
    },
    {
      name: 'traces.purged-sources',
      types: ['tracking-runs.purged', 'logged-models.purged'],
      async handle(unit, event) {
        if (event.type === 'tracking-runs.purged') await deleteLinksTo(unit, event.project, 'run', event.data.runIds);
        if (event.type === 'logged-models.purged')
          await deleteLinksTo(unit, event.project, 'logged-model', event.data.modelIds);
      },
    },
  ];
}
