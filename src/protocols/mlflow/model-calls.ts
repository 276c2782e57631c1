import { parseStage, promptTag } from '#modules/registry';
import type { Unit } from '#platform/database';
import type { CallInput, MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { aliasGoverned, invalidParameter, sendMlflowError } from './mlflow-errors.ts';
import { decodePageToken, nextPage } from './page-token.ts';
import { list, toWireModel, toWireVersion } from './wire-views.ts';

const prefix = '/2.0/mlflow/registered-models';

const noPrompts =
  /(?:^|\s+and\s+)tags?\.[`"]?mlflow\.prompt\.is_prompt[`"]?\s*(?:!=\s*'true'|=\s*'false')\s*(?=$|and\s)/i;

/**
 * What clients send when they want models alone, "is_prompt != 'true'", means models without the tag as well, which the
 * grammar's own `!=` leaves out: the clause is taken out of the filter and prompts are excepted.
 */
export function exceptPrompts(filter: string | undefined) {
  const rest = filter
    ?.replace(noPrompts, '')
    .replace(/^\s*and\s+/i, '')
    .trim();
  const searchesPrompts = rest?.includes(promptTag) === true;
  return {
    filter: rest === '' ? undefined : rest,
    exceptTag: searchesPrompts ? undefined : { key: promptTag, value: 'true' },
  };
}

/** A version as clients send it: a text or a number. */
export function parseVersion(text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw invalidParameter(`Parameter 'version' must be an integer, got '${text.slice(0, 50)}'.`);
  return Number(text);
}

export function modelCalls({ database, registry }: MlflowDeps): readonly MlflowCall[] {
  /** Runs a change in one unit and answers with the model as it is then. */
  async function change(input: CallInput, name: string, work: (unit: Unit) => Promise<void>): Promise<unknown> {
    return database.write(input.context.write, async (unit) => {
      await work(unit);
      const model = await registry.model(unit, input.project, name);
      if (model === undefined) return {};
      const latest = await registry.latestVersions(unit, [model]);
      return { registered_model: toWireModel(model, latest.get(model.key) ?? []) };
    });
  }

  async function find({ project, reply }: CallInput, name: string) {
    const model = await registry.model(database.read, project, name);
    if (model === undefined) {
      void sendMlflowError(reply, 'RESOURCE_DOES_NOT_EXIST', `Registered Model with name=${name} not found`);
      return undefined;
    }
    return model;
  }

  async function latestOf(input: CallInput): Promise<unknown> {
    const model = await find(input, input.fields.requiredName('name'));
    if (model === undefined) return input.reply;
    const stages = input.fields.texts('stages').map(parseStage);
    const versions = (await registry.latestVersions(database.read, [model])).get(model.key) ?? [];
    const wanted = versions.filter(({ stage }) => stages.length === 0 || stages.includes(stage));
    return list(
      'model_versions',
      wanted.map((version) => toWireVersion(version)),
    );
  }

  /** An alias that promotions govern moves by hand only for those who may approve. */
  async function requireMayMove({ project, context }: CallInput, model: string, alias: string): Promise<void> {
    if (context.principal.can('approve', project)) return;
    if (await registry.isGoverned(database.read, project, model, alias)) throw aliasGoverned(model, alias);
  }

  return [
    {
      method: 'POST',
      path: `${prefix}/create`,
      permission: 'write',
      handle: (input) => {
        const { fields, project } = input;
        const name = fields.requiredName('name');
        const description = fields.text('description');
        const tags = fields.pairs('tags');
        return change(input, name, (unit) => registry.createModel(unit, { project, model: name, description, tags }));
      },
    },
    {
      method: 'GET',
      path: `${prefix}/get`,
      permission: 'read',
      handle: async (input) => {
        const model = await find(input, input.fields.requiredName('name'));
        if (model === undefined) return input.reply;
        const latest = await registry.latestVersions(database.read, [model]);
        return { registered_model: toWireModel(model, latest.get(model.key) ?? []) };
      },
    },
    {
      method: 'PATCH',
      path: `${prefix}/update`,
      permission: 'write',
      handle: (input) => {
        const model = input.fields.requiredName('name');
        const description = input.fields.text('description') ?? '';
        return change(input, model, (unit) =>
          registry.describeModel(unit, { project: input.project, model, description }),
        );
      },
    },
    {
      method: 'POST',
      path: `${prefix}/rename`,
      permission: 'write',
      handle: (input) => {
        const model = input.fields.requiredName('name');
        const newName = input.fields.requiredName('new_name');
        return change(input, newName, (unit) => registry.renameModel(unit, { project: input.project, model, newName }));
      },
    },
    {
      method: 'DELETE',
      path: `${prefix}/delete`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const model = fields.requiredName('name');
        await database.write(context.write, (unit) => registry.deleteModel(unit, { project, model }));
        return {};
      },
    },
    {
      method: 'GET',
      path: `${prefix}/search`,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const filter = fields.text('filter');
        const limit = fields.bounded('max_results', { preset: 100, maximum: 1000 });
        const offset = decodePageToken(fields.text('page_token'));
        const orderBy = fields.texts('order_by');
        const query = { project, ...exceptPrompts(filter), orderBy, limit, offset };
        const { items, more } = await registry.searchModels(database.read, query);
        const latest = await registry.latestVersions(database.read, items);
        return {
          ...list(
            'registered_models',
            items.map((model) => toWireModel(model, latest.get(model.key) ?? [])),
          ),
          ...nextPage(more, offset + limit),
        };
      },
    },
    { method: 'POST', path: `${prefix}/get-latest-versions`, permission: 'read', handle: latestOf },
    { method: 'GET', path: `${prefix}/get-latest-versions`, permission: 'read', handle: latestOf },
    {
      method: 'POST',
      path: `${prefix}/set-tag`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const input = {
          project,
          model: fields.requiredName('name'),
          key: fields.requiredName('key'),
          value: fields.text('value') ?? '',
        };
        await database.write(context.write, (unit) => registry.setModelTag(unit, input));
        return {};
      },
    },
    {
      method: 'DELETE',
      path: `${prefix}/delete-tag`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const input = { project, model: fields.requiredName('name'), key: fields.requiredName('key') };
        await database.write(context.write, (unit) => registry.deleteModelTag(unit, input));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/alias`,
      permission: 'write',
      handle: async (input) => {
        const { fields, project } = input;
        const model = fields.requiredName('name');
        const alias = fields.requiredName('alias');
        const version = parseVersion(fields.requiredName('version'));
        await requireMayMove(input, model, alias);
        await database.write(input.context.write, (unit) =>
          registry.setAlias(unit, { project, model, alias, version }),
        );
        return {};
      },
    },
    {
      method: 'DELETE',
      path: `${prefix}/alias`,
      permission: 'write',
      handle: async (input) => {
        const model = input.fields.requiredName('name');
        const alias = input.fields.requiredName('alias');
        await requireMayMove(input, model, alias);
        await database.write(input.context.write, (unit) =>
          registry.deleteAlias(unit, { project: input.project, model, alias }),
        );
        return {};
      },
    },
    {
      method: 'GET',
      path: `${prefix}/alias`,
      permission: 'read',
      handle: async (input) => {
        const { fields, project } = input;
        const alias = fields.requiredName('alias');
        const model = await find(input, fields.requiredName('name'));
        if (model === undefined) return input.reply;
        const latest = alias.toLowerCase() === 'latest' ? 'latest' : undefined;
        const at = latest ?? model.aliases.find((candidate) => candidate.alias === alias)?.version;
        const version = at === undefined ? undefined : await registry.version(database.read, project, model.name, at);
        return version === undefined
          ? sendMlflowError(input.reply, 'INVALID_PARAMETER_VALUE', `Registered model alias ${alias} not found.`)
          : { model_version: toWireVersion(version) };
      },
    },
  ];
}
