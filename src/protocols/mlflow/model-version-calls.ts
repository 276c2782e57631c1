import { isPrompt, type ModelVersion } from '#modules/registry';
import type { Unit } from '#platform/database';
import { toProxiedPath } from './artifact-uri.ts';
import type { CallInput, MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { sendMlflowError } from './mlflow-errors.ts';
import { exceptPrompts, parseVersion } from './model-calls.ts';
import { resolveSource } from './model-source.ts';
import { decodePageToken, nextPage } from './page-token.ts';
import { list, registryFilesUri, toWireVersion } from './wire-views.ts';

const prefix = '/2.0/mlflow/model-versions';
/** The server's own note on a logged model: as which versions it was registered. */
const versionsTag = 'mlflow.modelVersions';
/** A longer tag would be cut, in the middle of the JSON: the oldest notes go instead. */
const longestNote = 8000;

/** Clients may write the tag as well; what is no list counts as empty. */
function readNote(text = '[]'): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

const nameOf = ({ fields, project }: CallInput) => ({
  project,
  model: fields.requiredName('name'),
  version: parseVersion(fields.requiredName('version')),
});

export function modelVersionCalls(deps: MlflowDeps): readonly MlflowCall[] {
  const { database, registry, tracking } = deps;

  /** Runs a change in one unit and answers with the version as it is then. */
  async function change(
    input: CallInput,
    work: (unit: Unit, name: ReturnType<typeof nameOf>) => Promise<void>,
  ): Promise<unknown> {
    const name = nameOf(input);
    return database.write(input.context.write, async (unit) => {
      await work(unit, name);
      const version = await registry.version(unit, name.project, name.model, name.version);
      return version === undefined ? {} : { model_version: toWireVersion(version) };
    });
  }

  async function find(input: CallInput): Promise<ModelVersion | undefined> {
    const { project, model, version } = nameOf(input);
    const found = await registry.version(database.read, project, model, version);
    if (found === undefined)
      void sendMlflowError(
        input.reply,
        'RESOURCE_DOES_NOT_EXIST',
        `Model Version (name=${model}, version=${version}) not found`,
      );
    return found;
  }

  /**
   * Where clients find a version's files. It holds them itself, so that they are there also when the run or model that they
   * came from was purged.
   */
  async function locationOf(version: ModelVersion): Promise<string> {
    const location = version.storageLocation || version.source;
    if (location === '') return registryFilesUri(version);
    const folder = toProxiedPath(location);
    if (folder === undefined || version.files.length === 0) return location;
    const found = await tracking.artifact(database.read, version.project, folder);
    return found === undefined ? registryFilesUri(version) : location;
  }

  async function noteOnLoggedModel(unit: Unit, project: string, modelId: string, name: string, version: number) {
    const model = await tracking.loggedModel(unit, project, modelId);
    if (model === undefined) return;
    const noted = [...readNote(model.tags.find(({ key }) => key === versionsTag)?.value), { name, version }];
    while (noted.length > 1 && JSON.stringify(noted).length > longestNote) noted.shift();
    const value = JSON.stringify(noted);
    await tracking.setLoggedModelTags(unit, { project, modelId, tags: [{ key: versionsTag, value }] });
  }

  return [
    {
      method: 'POST',
      path: `${prefix}/create`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const name = fields.requiredName('name');
        const source = fields.requiredName('source');
        const tags = fields.pairs('tags');
        const runId = fields.text('run_id') || undefined;
        const modelId = fields.text('model_id') || undefined;
        const description = fields.text('description');
        const runLink = fields.text('run_link');
        return database.write(context.write, async (unit) => {
          const { trackingRunId, loggedModelId, ...place } = await resolveSource(deps, unit, {
            project,
            source,
            runId,
            modelId,
            isPrompt: isPrompt(tags),
          });
          const version = await registry.createVersion(unit, {
            project,
            model: name,
            source,
            ...place,
            trackingRunId,
            loggedModelId,
            description,
            runLink,
            tags,
          });
          if (loggedModelId !== undefined) await noteOnLoggedModel(unit, project, loggedModelId, name, version);
          const created = await registry.version(unit, project, name, version);
          return created === undefined ? {} : { model_version: toWireVersion(created) };
        });
      },
    },
    {
      method: 'GET',
      path: `${prefix}/get`,
      permission: 'read',
      handle: async (input) => {
        const version = await find(input);
        return version === undefined ? input.reply : { model_version: toWireVersion(version) };
      },
    },
    {
      method: 'PATCH',
      path: `${prefix}/update`,
      permission: 'write',
      handle: (input) => {
        const description = input.fields.text('description') ?? '';
        return change(input, (unit, name) => registry.describeVersion(unit, { ...name, description }));
      },
    },
    {
      method: 'DELETE',
      path: `${prefix}/delete`,
      permission: 'write',
      handle: async (input) => {
        const name = nameOf(input);
        await database.write(input.context.write, (unit) => registry.deleteVersion(unit, name));
        return {};
      },
    },
    {
      method: 'GET',
      path: `${prefix}/search`,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const filter = fields.text('filter');
        const limit = fields.bounded('max_results', { preset: 10_000, maximum: 200_000 });
        const offset = decodePageToken(fields.text('page_token'));
        const orderBy = fields.texts('order_by');
        const query = { project, ...exceptPrompts(filter), orderBy, limit, offset };
        const { items, more } = await registry.searchVersions(database.read, query);
        return {
          ...list(
            'model_versions',
            items.map((version) => toWireVersion(version, false)),
          ),
          ...nextPage(more, offset + limit),
        };
      },
    },
    {
      method: 'GET',
      path: `${prefix}/get-download-uri`,
      permission: 'read',
      handle: async (input) => {
        const version = await find(input);
        if (version === undefined) return input.reply;
        return { artifact_uri: await locationOf(version) };
      },
    },
    {
      method: 'POST',
      path: `${prefix}/set-tag`,
      permission: 'write',
      handle: async (input) => {
        const name = nameOf(input);
        const tag = { key: input.fields.requiredName('key'), value: input.fields.text('value') ?? '' };
        await database.write(input.context.write, (unit) => registry.setVersionTag(unit, { ...name, ...tag }));
        return {};
      },
    },
    {
      method: 'DELETE',
      path: `${prefix}/delete-tag`,
      permission: 'write',
      handle: async (input) => {
        const name = { ...nameOf(input), key: input.fields.requiredName('key') };
        await database.write(input.context.write, (unit) => registry.deleteVersionTag(unit, name));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/transition-stage`,
      permission: 'write',
      handle: (input) => {
        const stage = input.fields.requiredName('stage');
        const archiveExisting = input.fields.flag('archive_existing_versions') ?? false;
        return change(input, (unit, name) => registry.transitionStage(unit, { ...name, stage, archiveExisting }));
      },
    },
  ];
}
