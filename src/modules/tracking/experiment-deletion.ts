import type { Database, WriteContext } from '#platform/database';
import { type ExperimentService, findAnyExperimentRow } from './experiment-service.ts';
import type { RunListing } from './run-listing.ts';
import { listListedRuns, unlistRuns } from './run-listing-store.ts';

/** Runs that are read at once, and those of which a unit takes as many as fit into its time. */
const runsRead = 1000;
const runsAtOnce = 25;
/** What other writers wait for. */
const unitMs = 8;

export interface ExperimentDeletion {
  /**
   * `deleteExperiment` for one with any number of runs: they leave the lists of searches in short units first, which nobody
   * sees but by how long a search takes. The deletion itself stays one unit: nobody sees half of it.
   */
  deleteExperimentInSteps(
    context: WriteContext,
    input: { readonly project: string; readonly experimentId: string },
  ): Promise<void>;
}

export function createExperimentDeletion({
  database,
  listing,
  deleteExperiment,
}: Pick<ExperimentService, 'deleteExperiment'> & {
  readonly database: Database;
  readonly listing: Pick<RunListing, 'leaveAlone'>;
}): ExperimentDeletion {
  async function unlistAll(context: WriteContext, experimentKey: number): Promise<void> {
    for (let after: Awaited<ReturnType<typeof listListedRuns>>[number] | undefined; ; ) {
      const runs = await listListedRuns(database.read, experimentKey, after, runsRead);
      const ids = runs.map(({ runId }) => runId);
      for (let at = 0; at < ids.length; ) {
        // whoever waits to write comes in between
        at += await database.write(context, async (unit) => {
          const began = performance.now();
          let done = 0;
          while (at + done < ids.length && (done === 0 || performance.now() - began < unitMs)) {
            const some = ids.slice(at + done, at + done + runsAtOnce);
            await unlistRuns(unit, some);
            done += some.length;
          }
          return done;
        });
      }
      if (runs.length < runsRead) return;
      after = runs.at(-1);
    }
  }

  return {
    async deleteExperimentInSteps(context, input) {
      const row = await findAnyExperimentRow(database.read, input.project, input.experimentId);
      const letGo = row === undefined ? undefined : listing.leaveAlone(row.experiment_key);
      try {
        if (row?.lifecycle === 'active') await unlistAll(context, row.experiment_key);
        await database.write(context, (unit) => deleteExperiment(unit, input));
      } finally {
        letGo?.();
      }
    },
  };
}
