import type { Experiment } from '#modules/tracking';
import type { Reader } from '#platform/database';
import type { TracesDeps } from './traces-deps.ts';
import { tracesErrors } from './traces-errors.ts';

/** The active experiment that traces are written to. */
export async function requireExperiment(
  tracking: TracesDeps['tracking'],
  reader: Reader,
  project: string,
  experimentId: string,
): Promise<Experiment> {
  const experiment = await tracking.experiment(reader, project, experimentId);
  if (experiment === undefined) throw tracesErrors.TRACE_EXPERIMENT_NOT_FOUND(experimentId.slice(0, 100));
  if (experiment.lifecycle !== 'active')
    throw tracesErrors.TRACE_VALUE_INVALID(
      `The experiment ${experimentId} must be in the 'active' state. Current state is deleted.`,
    );
  return experiment;
}
