import type { ModelRecord, VersionRecord } from '#contracts/transfer';
import { type Json, list, number, object, text, toPairs } from './json.ts';
import { itemsOf } from './mlflow-pages.ts';
import { isMlflowError, type MlflowRest } from './mlflow-rest.ts';
import { ownerOfUri, type Source } from './source.ts';

const stages = ['None', 'Staging', 'Production', 'Archived'] as const;

/** The registry of a server. */
export function createRestRegistry(rest: MlflowRest): Pick<Source, 'models'> {
  /** Versions of prompts are found by a search for prompts alone, as prompts are. */
  async function versionsOf(name: string, kind: string): Promise<VersionRecord[]> {
    const versions: VersionRecord[] = [];
    const quote = name.includes("'") ? '"' : "'";
    const filter = [`name=${quote}${name}${quote}`, ...(kind === '' ? [] : [kind])].join(' AND ');
    for await (const version of itemsOf(rest, '/model-versions/search', 'model_versions', {
      filter,
      max_results: 1000,
    }))
      versions.push(await toVersion(rest, version));
    return versions.toSorted((a, b) => a.version - b.version);
  }

  return {
    async *models() {
      // newer servers leave prompts out unless they are asked for
      const filters = ['', "tags.`mlflow.prompt.is_prompt` = 'true'"];
      const seen = new Set<string>();
      for (const filter of filters)
        for await (const model of itemsOf(rest, '/registered-models/search', 'registered_models', {
          max_results: 200,
          ...(filter !== '' && { filter }),
        })) {
          const name = text(model['name']);
          if (seen.has(name)) continue;
          seen.add(name);
          yield await toModel(rest, model, await versionsOf(name, filter));
        }
    },
  };
}

/** Where the bytes of a version are when its source is an indirect address. */
async function storageOf(rest: MlflowRest, version: Json): Promise<string> {
  const source = text(version['source']);
  if (!/^(?:models|runs):/.test(source)) return source;
  const query = { name: text(version['name']), version: text(version['version']) };
  try {
    return text((await rest.get('/model-versions/get-download-uri', query))['artifact_uri']);
  } catch (error) {
    // what it names is gone; the version is still there
    if (isMlflowError(error, 'RESOURCE_DOES_NOT_EXIST') || isMlflowError(error, 'INVALID_PARAMETER_VALUE'))
      return source;
    throw error;
  }
}

async function toVersion(rest: MlflowRest, version: Json): Promise<VersionRecord> {
  const source = text(version['source']);
  const storageLocation = await storageOf(rest, version);
  const owner =
    text(version['model_id']) || /^models:\/+(m-[0-9a-f]{32})/.exec(source)?.[1] || ownerOfUri(storageLocation)?.id;
  const runId = text(version['run_id']);
  return {
    version: number(version['version']),
    source,
    storageLocation,
    ...(runId !== '' && { trackingRunId: runId }),
    ...(owner?.startsWith('m-') === true && { loggedModelId: owner }),
    runLink: text(version['run_link']),
    description: text(version['description']),
    stage: stages.find((stage) => stage === version['current_stage']) ?? 'None',
    user: text(version['user_id']),
    createdMs: number(version['creation_timestamp']),
    updatedMs: number(version['last_updated_timestamp']),
    tags: toPairs(version['tags']),
    files: [],
  };
}

/** A search does not fill aliases in on every server: the model itself is asked. */
async function toModel(rest: MlflowRest, model: Json, versions: VersionRecord[]): Promise<ModelRecord> {
  const name = text(model['name']);
  const whole = object((await rest.get('/registered-models/get', { name }))['registered_model']);
  return {
    name,
    description: text(whole['description']),
    createdMs: number(whole['creation_timestamp']),
    updatedMs: number(whole['last_updated_timestamp']),
    tags: toPairs(whole['tags']),
    aliases: list(whole['aliases']).map(({ alias, version }) => ({ alias: text(alias), version: number(version) })),
    versions,
  };
}
