import type { SearchSchema } from './search-store.ts';

const text = (column: string) => ({ column, type: 'text' }) as const;
const number = (column: string) => ({ column, type: 'number' }) as const;

const attributes: SearchSchema['attributes'] = {
  run_id: { column: 'tracking_runs.run_id', type: 'text', lists: true },
  run_name: text('tracking_runs.name'),
  'run name': text('tracking_runs.name'),
  'Run name': text('tracking_runs.name'),
  'Run Name': text('tracking_runs.name'),
  status: text('tracking_runs.status'),
  artifact_uri: text('tracking_runs.artifact_uri'),
  user_id: text('tracking_runs.user_id'),
  start_time: number('tracking_runs.start_ms'),
  created: number('tracking_runs.start_ms'),
  Created: number('tracking_runs.start_ms'),
  end_time: number('tracking_runs.end_ms'),
};

/** What a filter of runs may name; `key` is the column with the id of the run that is looked at. */
const runSchemaOver = (key: string): SearchSchema => ({
  key,
  attributes,
  metrics: { table: 'tracking_latest_metrics', owner: 'run_id' },
  params: { table: 'tracking_params', owner: 'run_id', key: 'param_key', value: 'param_value' },
  tags: { table: 'tracking_run_tags', owner: 'run_id', key: 'tag_key', value: 'tag_value' },
  datasets: true,
});
export const runSchema = runSchemaOver('tracking_runs.run_id');
/** Over the lists of runs (run-listing-store.ts), which have their ids in the order of their bytes. */
export const listedRunSchema: SearchSchema = { ...runSchemaOver('walk.run_id'), keyByBytes: true };
