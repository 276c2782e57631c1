import { getModel, listModels } from '#contracts/registry';
import { nounOf } from '../noun-command.ts';

export const model = nounOf({
  list: listModels,
  show: getModel,
  empty: 'There is no model yet: run a pipeline that trains one, "tidemill run <pipeline>".',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'aliases', value: (row) => row.aliases.map(({ alias, version }) => `${alias}=${version}`).join(', ') },
    { title: 'updated', value: (row) => row.updatedAt },
  ],
});
