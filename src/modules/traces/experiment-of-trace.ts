import type { Experiment } from '#modules/tracking';
import type { Reader } from '#platform/database';
import type { TracesDeps } from './traces-deps.ts';
import { tracesErrors } from './traces-errors.ts';

/** The experiment that traces are written to: an active one, except for what another store had in a deleted one. */
export async function requireExperiment(
  tracking: TracesDeps['tracking'],
  reader: Reader,
  project: string,
  experimentId: string,
  options: { readonly deletedToo?: boolean } = {},
): Promise<Experiment> {
  const experiment = await tracking.experiment(reader, project, experimentId);
  if (experiment === undefined) throw tracesErrors.TRACE_EXPERIMENT_NOT_FOUND(experimentId.slice(0, 100));
  if (experiment.lifecycle !== 'active' && options.deletedToo !== true)
    throw tracesErrors.TRACE_VALUE_INVALID(
      `The experiment ${experimentId} must be in the 'active' state. Current state is deleted.`,
    );
  return experiment;
}
