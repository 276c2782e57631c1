import {
  getModel,
  getModelVersion,
  listModels,
  listModelVersions,
  removeModelAlias,
  setModelAlias,
} from '#contracts/registry';
import { listBelow, nounOf } from '../noun-command.ts';

export const model = nounOf({
  sample: 'late-arrival',
  list: listModels,
  show: getModel,
  showAt: getModelVersion,
  empty: 'There is no model yet: run a pipeline that trains one, "tidemill run <pipeline>".',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'aliases', value: (row) => row.aliases.map(({ alias, version }) => `${alias}=${version}`).join(', ') },
    { title: 'updated', value: (row) => row.updatedAt },
  ],
  further: [
    listBelow('versions', listModelVersions, {
      empty: 'It has no version yet.',
      columns: [
        { title: 'version', value: (row) => row.version },
        { title: 'created', value: (row) => row.createdAt },
      ],
    }),
    { name: 'version', operation: getModelVersion, example: 'late-arrival champion' },
    { name: 'set-alias', operation: setModelAlias, positional: ['version'], example: 'late-arrival champion 4' },
    { name: 'remove-alias', operation: removeModelAlias, example: 'late-arrival champion' },
  ],
});
