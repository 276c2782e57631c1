import { getFeatureView, listFeatureViews } from '#contracts/features';
import { nounOf } from '../noun-command.ts';

export const feature = nounOf({
  sample: 'weather',
  list: listFeatureViews,
  show: getFeatureView,
  kind: 'features',
  empty: 'There is no feature view yet: declare one in tidemill.yaml and run "tidemill apply".',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'datasets', value: (row) => row.datasets.join(', ') },
    { title: 'generation', value: (row) => row.generation },
  ],
});
