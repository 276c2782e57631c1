import { cancelRun, completeStep, explainStep, getRun, listRuns } from '#contracts/pipelines';
import { nounOf } from '../noun-command.ts';

export const pipelineRun = nounOf({
  sample: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb',
  list: listRuns,
  show: getRun,
  kind: 'run',
  empty: 'There is no run yet: start one with "tidemill run <pipeline>".',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'pipeline', value: (row) => row.pipeline },
    { title: 'state', value: (row) => row.state },
    { title: 'model', value: (row) => row.result && `${row.result.model}@${row.result.version}` },
    { title: 'verdict', value: (row) => row.result?.verdict },
    { title: 'created', value: (row) => row.createdAt },
    { title: 'ended', value: (row) => row.endedAt },
  ],
  further: [
    { name: 'explain', operation: explainStep, example: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb fit' },
    { name: 'cancel', operation: cancelRun },
    {
      name: 'complete-step',
      operation: completeStep,
      example: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb build --token kX3… --outcome succeeded',
    },
  ],
});
