import type { DatasetInput, Metric, ModelOutput, Run } from './tracking-types.ts';

/*
 * What was logged to a run, as the JSON of MLflow's API: absent and empty things are left out, as protobuf does. Here and
 * not in the adapter, because it is kept ready for runs at rest: an answer of a hundred runs is then put together from a
 * hundred texts, not from thousands of rows.
 */
const list = <Item>(name: string, items: readonly Item[]) => (items.length === 0 ? {} : { [name]: items });

/** NaN travels as a text; infinities are clamped to what a double can say, as MLflow's store answers. */
function toWireDouble(value: number): number | 'NaN' {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? value : Math.sign(value) * Number.MAX_VALUE;
}

export const toWireMetric = (metric: Metric) => ({
  key: metric.key,
  value: toWireDouble(metric.value),
  timestamp: metric.timestampMs,
  step: metric.step,
});

const toWireInput = ({ tags, name, digest, sourceType, source, schema, profile }: DatasetInput) => ({
  ...list('tags', tags),
  dataset: {
    name,
    digest,
    source_type: sourceType,
    source,
    ...(schema !== undefined && { schema }),
    ...(profile !== undefined && { profile }),
  },
});
const toWireOutput = ({ modelId, step }: ModelOutput) => ({ model_id: modelId, step });

/** The members `data`, `inputs` and `outputs` of a run. */
export const toRunDocument = (run: Omit<Run, 'info'>) => ({
  data: {
    ...list('metrics', run.metrics.map(toWireMetric)),
    ...list('params', run.params),
    ...list('tags', run.tags),
  },
  inputs: {
    ...list('dataset_inputs', run.datasets.map(toWireInput)),
    ...list(
      'model_inputs',
      run.modelInputs.map((modelId) => ({ model_id: modelId })),
    ),
  },
  outputs: list('model_outputs', run.modelOutputs.map(toWireOutput)),
});
