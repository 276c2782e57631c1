import { getDataset, listDatasets } from '#contracts/datasets';
import { nounOf } from '../noun-command.ts';

export const dataset = nounOf({
  list: listDatasets,
  show: getDataset,
  empty: 'There is no dataset yet: declare one in tidemill.yaml and run "tidemill apply".',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'version', value: (row) => row.current?.version },
    { title: 'rows', value: (row) => row.current?.rows },
    { title: 'parts', value: (row) => row.current?.parts },
    { title: 'until', value: (row) => row.current?.timeMax },
    { title: 'ingesting', value: (row) => row.ingesting },
  ],
});
