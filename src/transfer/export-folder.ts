import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chosenExperiments } from './chosen-experiments.ts';
import { writeLoggedModel, writeRegistered } from './export-folder-models.ts';
import { writeRuns } from './export-folder-runs.ts';
import { createFolderTarget, uriOf, writeMeta } from './export-folder-target.ts';
import { writeTraces } from './export-folder-traces.ts';
import { type ExportOptions, type ExportReport, leftIn } from './export-report.ts';
import { requireId, type Source, type SourceExperiment } from './source.ts';

/** Writes a project as MLflow's file store (mlruns-source.ts has its layout), with all ids; it may come again. */
export async function exportToFolder(source: Source, folder: string, options: ExportOptions): Promise<ExportReport> {
  const target = createFolderTarget(source, folder, options);
  const { progress, left, step } = target;
  const experiments = await chosenExperiments(source, options.experiments);
  progress.experimentsInAll = experiments.length;
  for (const experiment of experiments) {
    const { id, name, tags, lifecycle } = experiment.record;
    const base = join(folder, ...(lifecycle === 'deleted' ? ['.trash'] : []), requireId('experiment', id));
    await target.writePairs(join(base, 'tags'), tags, `experiment ${name}`);
    await writeMeta(base, toExperimentMeta(experiment, uriOf(join(folder, id))));
    for await (const page of source.runs(id)) await writeRuns(target, page, base);
    for await (const page of source.loggedModels(id))
      for (const model of page) await writeLoggedModel(target, model, base);
    await writeTraces(target, id, base);
    progress.experiments += 1;
    step();
  }
  await mkdir(join(folder, 'models'), { recursive: true });
  for await (const model of source.models()) await writeRegistered(target, model);
  return { to: folder, progress, left: [...left, ...(await leftIn(source))] };
}

const toExperimentMeta = ({ record, artifactUri }: SourceExperiment, here: string) => ({
  artifact_location: artifactUri.startsWith('mlflow-artifacts:') ? here : artifactUri,
  creation_time: record.createdMs,
  experiment_id: record.id,
  last_update_time: record.updatedMs,
  lifecycle_stage: record.lifecycle,
  name: record.name,
});
