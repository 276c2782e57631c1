import type { Consumer } from '#platform/events';
import { deleteLinksTo } from './pair-store.ts';
import type { TraceService } from './trace-service.ts';
import type { TracesDeps } from './traces-deps.ts';

/** Each in a unit of its own: an experiment may have millions, and others write meanwhile. */
const tracesAtOnce = 200;

/** What traces lose when what they belong to or came from is purged. */
export function createPurgedConsumers({
  database,
  deleteTraces,
}: Pick<TraceService, 'deleteTraces'> & Pick<TracesDeps, 'database'>): readonly Consumer[] {
  return [
    {
      name: 'traces.purged-experiments',
      types: ['experiment.purged'],
      // no more of them come, for the experiment has gone; whatever is left when this dies goes the next time
      async deliver(event) {
        if (event.type !== 'experiment.purged') return;
        const context = { actor: 'system:traces.purged-experiments', cause: event.id };
        const wanted = { project: event.project, experimentId: event.data.experimentId, limit: tracesAtOnce };
        for (let count = tracesAtOnce; count === tracesAtOnce; )
          count = await database.write(context, (unit) => deleteTraces(unit, wanted));
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
