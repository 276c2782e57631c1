import { getEvaluation, listEvaluations } from '#contracts/evaluation';
import { nounOf } from '../noun-command.ts';

export const evaluation = nounOf({
  sample: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb',
  list: listEvaluations,
  show: getEvaluation,
  empty: 'There is no evaluation yet: a pipeline with a model and gates makes one.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'model', value: (row) => row.model },
    { title: 'verdict', value: (row) => row.verdict },
    { title: 'created', value: (row) => row.createdAt },
    { title: 'ended', value: (row) => row.endedAt },
  ],
});
