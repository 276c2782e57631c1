import {
  getDataset,
  getDatasetProfile,
  getDatasetVersion,
  listDatasets,
  listDatasetVersions,
  listIngestions,
  previewDataset,
} from '#contracts/datasets';
import { listBelow, nounOf } from '../noun-command.ts';
import { whyNotLanded } from '../workspace/why-not-landed.ts';

export const dataset = nounOf({
  sample: 'flights',
  list: listDatasets,
  show: getDataset,
  showAt: getDatasetVersion,
  empty: 'There is no dataset yet: declare one in tidemill.yaml and run "tidemill apply".',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'version', value: (row) => row.current?.version },
    { title: 'rows', value: (row) => row.current?.rows },
    { title: 'parts', value: (row) => row.current?.parts },
    { title: 'until', value: (row) => row.current?.timeMax },
    { title: 'ingesting', value: (row) => row.ingesting },
  ],
  further: [
    { name: 'profile', operation: getDatasetProfile },
    { name: 'rows', operation: previewDataset, example: 'flights --limit 5 --json' },
    listBelow('versions', listDatasetVersions, {
      empty: 'It has no version yet: "tidemill land <dataset>" takes its files in.',
      columns: [
        { title: 'version', value: (row) => row.version },
        { title: 'rows', value: (row) => row.rows },
        { title: 'parts', value: (row) => row.parts },
        { title: 'bytes', value: (row) => row.sizeBytes },
        { title: 'until', value: (row) => row.timeMax },
        { title: 'producer', value: (row) => row.producer },
        { title: 'created', value: (row) => row.createdAt },
      ],
    }),
    listBelow('ingestions', listIngestions, {
      empty: 'Nothing was landed in it yet.',
      columns: [
        { title: 'id', value: (row) => row.id },
        { title: 'state', value: (row) => row.state },
        { title: 'version', value: (row) => row.version },
        { title: 'files', value: (row) => row.files.length },
        { title: 'why', value: (row) => whyNotLanded(row) || undefined },
        { title: 'created', value: (row) => row.createdAt },
      ],
    }),
  ],
});
