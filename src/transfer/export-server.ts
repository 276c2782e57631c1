import { chosenExperiments } from './chosen-experiments.ts';
import { type ExportOptions, type ExportReport, leftIn } from './export-report.ts';
import { exportLoggedModels, type OpenModel, sendMetrics } from './export-server-models.ts';
import { exportRegistered } from './export-server-registry.ts';
import { endRuns, exportRuns, missingInputs, type OpenRun } from './export-server-runs.ts';
import { createServerTarget } from './export-server-target.ts';
import { sendTraces } from './export-server-traces.ts';
import { object, text } from './json.ts';
import { type Credentials, isMlflowError, type MlflowRest } from './mlflow-rest.ts';
import type { Source, SourceExperiment } from './source.ts';

/**
 * Writes a project to a tracking server by MLflow's own REST API. Every part may come again: runs are found by the tag of
 * their former id, points and params that are there stay one, experiments and models are found by name. A run is passed by
 * when it had ended and has not changed here since it was written.
 */
export async function exportToServer(
  source: Source,
  address: string,
  options: ExportOptions & { readonly environment: Credentials },
): Promise<ExportReport> {
  const target = createServerTarget(source, address, options);
  const { rest, progress, left, step } = target;
  const experiments = await chosenExperiments(source, options.experiments);
  progress.experimentsInAll = experiments.length;
  const deleted: string[] = [];
  const waiting: OpenRun[] = [];
  const measured: OpenModel[] = [];
  for (const experiment of experiments) {
    const from = experiment.record.id;
    const to = await putExperiment(rest, experiment);
    const open = await exportRuns(target, from, to);
    measured.push(...(await exportLoggedModels(target, from, to)));
    const isWaiting = ({ record }: OpenRun) => missingInputs(target, record).length > 0;
    waiting.push(...open.filter(isWaiting));
    await endRuns(
      target,
      open.filter((run) => !isWaiting(run)),
    );
    await sendTraces(target, from, to);
    if (experiment.record.lifecycle === 'deleted') deleted.push(to);
    progress.experiments += 1;
    step();
  }
  // what they have read, or what has measured them, may have come with a later experiment
  for (const model of measured) await sendMetrics(target, model);
  await endRuns(target, waiting);
  for await (const model of source.models()) await exportRegistered(target, model);
  for (const id of deleted) await rest.post('/experiments/delete', { experiment_id: id });
  return { to: rest.label, progress, left: [...left, ...(await leftIn(source))] };
}

/** Makes an experiment, or finds the one of its name and makes it one that can be written to. */
async function putExperiment(rest: MlflowRest, { record: { name, tags } }: SourceExperiment): Promise<string> {
  try {
    return text((await rest.post('/experiments/create', { name, tags }))['experiment_id']);
  } catch (error) {
    if (!isMlflowError(error, 'RESOURCE_ALREADY_EXISTS')) throw error;
  }
  const found = await rest.get('/experiments/get-by-name', { experiment_name: name });
  const known = object(found['experiment']);
  const id = text(known['experiment_id']);
  if (known['lifecycle_stage'] === 'deleted') await rest.post('/experiments/restore', { experiment_id: id });
  for (const tag of tags) await rest.post('/experiments/set-experiment-tag', { experiment_id: id, ...tag });
  return id;
}
