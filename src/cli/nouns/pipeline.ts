import { getPipeline, listPipelines } from '#contracts/pipelines';
import { nounOf } from '../noun-command.ts';

export const pipeline = nounOf({
  sample: 'train',
  list: listPipelines,
  show: getPipeline,
  empty: 'There is no pipeline yet: declare one in tidemill.yaml and run "tidemill apply".',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'last run', value: (row) => row.lastRun?.id },
    { title: 'state', value: (row) => row.lastRun?.state },
    { title: 'updated', value: (row) => row.updatedAt },
  ],
});
