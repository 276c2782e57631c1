import type { Database, WriteContext } from '#platform/database';
import { type ExperimentService, findAnyExperimentRow } from './experiment-service.ts';
import { unlistRuns } from './run-listing-store.ts';
import { listRunIdsOfExperiment, updateRunsOfExperiment } from './run-store.ts';
import type { Lifecycle } from './tracking-tables.ts';

/** Runs that are read at once, and those of which a unit takes as many as fit into its time. */
const runsRead = 1000;
const runsAtOnce = 25;
/** What other writers wait for. */
const unitMs = 8;

interface ExperimentName {
  readonly project: string;
  readonly experimentId: string;
}

/**
 * `deleteExperiment` and `restoreExperiment` for one with any number of runs: these go first, in short units, and the
 * experiment last. What is cut short leaves the experiment as it was with some of its runs changed already; asked again,
 * it goes on from there.
 */
export interface ExperimentDeletion {
  deleteExperimentInSteps(context: WriteContext, input: ExperimentName): Promise<void>;
  restoreExperimentInSteps(context: WriteContext, input: ExperimentName): Promise<void>;
}

export function createExperimentDeletion({
  database,
  deleteExperiment,
  restoreExperiment,
}: Pick<ExperimentService, 'deleteExperiment' | 'restoreExperiment'> & {
  readonly database: Database;
}): ExperimentDeletion {
  /** @returns how many of these runs it has changed */
  const changeSome = (context: WriteContext, experimentKey: number, runIds: readonly string[], lifecycle: Lifecycle) =>
    database.write(context, async (unit) => {
      const began = performance.now();
      const deletedMs = lifecycle === 'deleted' ? unit.nowMs : null;
      let done = 0;
      while (done < runIds.length && (done === 0 || performance.now() - began < unitMs)) {
        const some = runIds.slice(done, done + runsAtOnce);
        if (lifecycle === 'deleted') await unlistRuns(unit, some);
        await updateRunsOfExperiment(unit, experimentKey, { lifecycle, deletedMs }, some);
        done += some.length;
      }
      return done;
    });

  async function changeRuns(context: WriteContext, input: ExperimentName, lifecycle: Lifecycle): Promise<void> {
    const row = await findAnyExperimentRow(database.read, input.project, input.experimentId);
    if (row === undefined || row.lifecycle === lifecycle) return;
    const before = row.lifecycle;
    for (;;) {
      const runIds = await listRunIdsOfExperiment(database.read, row.experiment_key, before, runsRead);
      for (let at = 0; at < runIds.length; )
        at += await changeSome(context, row.experiment_key, runIds.slice(at), lifecycle); // whoever waits comes in between
      if (runIds.length < runsRead) return; // those that were made since go with the experiment
    }
  }

  return {
    async deleteExperimentInSteps(context, input) {
      await changeRuns(context, input, 'deleted');
      await database.write(context, (unit) => deleteExperiment(unit, input));
    },
    async restoreExperimentInSteps(context, input) {
      await changeRuns(context, input, 'active');
      await database.write(context, (unit) => restoreExperiment(unit, input));
    },
  };
}
