import type { Unit } from '#platform/database';
import type { EvaluationTables } from './evaluation-tables.ts';

/** What lay in an experiment that is gone for good: its scorers go with it, its data sets are those of others too. */
export async function forgetExperiment(unit: Unit, project: string, experimentId: string): Promise<void> {
  const query = unit.query<EvaluationTables>();
  await query
    .deleteFrom('evaluation_scorers')
    .where('evaluation_scorers.project', '=', project)
    .where('evaluation_scorers.experiment_id', '=', experimentId)
    .execute();
  await query
    .deleteFrom('evaluation_dataset_experiments')
    .where('evaluation_dataset_experiments.experiment_id', '=', experimentId)
    .where('evaluation_dataset_experiments.dataset_id', 'in', (datasets) =>
      datasets
        .selectFrom('evaluation_datasets')
        .select('evaluation_datasets.dataset_id')
        .where('evaluation_datasets.project', '=', project),
    )
    .execute();
}
