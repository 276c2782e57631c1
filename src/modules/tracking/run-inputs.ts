import { formatReference } from '#contracts/references';
import type { Unit } from '#platform/database';
import { findDatasetKey, insertDataset, putInput, putRunModels } from './input-store.ts';
import type { TrackingDeps } from './tracking-deps.ts';
import type { DatasetInput, ModelOutput } from './tracking-types.ts';

/** Ties what a run read and made to it; answers the edges of it, which the caller records. */
export async function putRunInputs(
  unit: Unit,
  ids: TrackingDeps['ids'],
  run: { readonly runId: string; readonly experimentKey: number },
  given: {
    readonly datasets: readonly DatasetInput[];
    readonly models: readonly ModelOutput[];
    readonly outputs: readonly ModelOutput[];
  },
): Promise<readonly { readonly from: string; readonly to: string; readonly kind: string }[]> {
  const { runId, experimentKey } = run;
  const { datasets, models, outputs } = given;
  for (const [ordinal, dataset] of datasets.entries()) {
    const known = await findDatasetKey(unit, experimentKey, dataset.name, dataset.digest);
    const key = known ?? ids.next();
    if (known === undefined)
      await insertDataset(unit, {
        dataset_key: key,
        experiment_key: experimentKey,
        name: dataset.name,
        digest: dataset.digest,
        source_type: dataset.sourceType,
        source: dataset.source,
        schema_json: dataset.schema ?? null,
        profile_json: dataset.profile ?? null,
      });
    await putInput(unit, runId, key, ordinal, dataset.tags);
  }
  if (models.length > 0) await putRunModels(unit, runId, 'input', models);
  if (outputs.length > 0) await putRunModels(unit, runId, 'output', outputs);
  const at = formatReference('tracking-run', runId);
  return [
    ...datasets
      .filter(({ name }) => name !== '') // another store's may have none, and then no reference
      .map(({ name, digest }) => ({ from: formatReference('dataset', name, digest), to: at, kind: 'consumed' })),
    ...models.map(({ modelId }) => ({ from: formatReference('logged-model', modelId), to: at, kind: 'consumed' })),
    ...outputs.map(({ modelId }) => ({ from: at, to: formatReference('logged-model', modelId), kind: 'produced' })),
  ];
}
