import { nearestName } from '#contracts/nearest-name';
import {
  getModel,
  getModelVersion,
  listModelVersions,
  listPrompts,
  removeModelAlias,
  setModelAlias,
} from '#contracts/registry';
import type { Client } from '../../sdk/index.ts';
import { listBelow, nounOf } from '../noun-command.ts';

async function explain(client: Client, wanted: string): Promise<string | undefined> {
  const { items } = await client.call(listPrompts, { query: { limit: 500 } });
  const names = items.map(({ name }) => name);
  if (names.includes(wanted)) return undefined;
  const nearest = nearestName(wanted, names);
  return `there is no prompt "${wanted}"${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`;
}

/** A prompt is a model of the registry: all but its list is asked for as one. */
export const prompt = nounOf({
  explain,
  sample: 'greeting',
  list: listPrompts,
  show: getModel,
  showAt: getModelVersion,
  empty: 'There is no prompt yet: mlflow.genai.register_prompt makes one.',
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
        { title: 'message', value: (row) => row.description },
        { title: 'created', value: (row) => row.createdAt },
      ],
    }),
    { name: 'version', operation: getModelVersion, example: 'greeting production' },
    { name: 'set-alias', operation: setModelAlias, positional: ['version'], example: 'greeting production 4' },
    { name: 'remove-alias', operation: removeModelAlias, example: 'greeting production' },
  ],
});
