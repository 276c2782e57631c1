import type { ModelRecord, VersionRecord } from '#contracts/transfer';
import { type ServerTarget, sourceTag, withoutOwnTags } from './export-server-target.ts';
import { type Json, object, text, toPairs, valueOf } from './json.ts';
import { itemsOf } from './mlflow-pages.ts';
import { isMlflowError } from './mlflow-rest.ts';
import { ownerOfUri } from './source.ts';

/** Writes a registered model: its versions in their order, since a server numbers them itself, and its aliases. */
export async function exportRegistered(target: ServerTarget, model: ModelRecord): Promise<void> {
  const { rest, left, progress, step } = target;
  const { name, tags, description } = model;
  const [going, staying] = partition(model.versions, (version) => sourceThere(target, version) !== '');
  if (staying.length > 0) left.push(whyStaying(name, staying));
  if (going.length === 0 && staying.length > 0) return; // a model without a version would be there
  try {
    await rest.post('/registered-models/create', { name, tags, description });
  } catch (error) {
    if (!isMlflowError(error, 'RESOURCE_ALREADY_EXISTS')) throw error;
  }
  const known = await knownVersions(target, name);
  const numbers = new Map<number, string>();
  for (const version of going.toSorted((a, b) => a.version - b.version)) {
    const there = known.get(String(version.version)) ?? (await makeVersion(target, name, version));
    if (there === undefined) continue;
    const number = text(there['version']);
    numbers.set(version.version, number);
    if (number !== String(version.version))
      left.push(`the number of version ${version.version} of model "${name}", which is ${number} there`);
    const { stage } = version;
    if (stage !== (text(there['current_stage']) || 'None'))
      await rest.post('/model-versions/transition-stage', {
        name,
        version: number,
        stage,
        archive_existing_versions: false,
      });
  }
  for (const { alias, version } of model.aliases) {
    const number = numbers.get(version);
    if (number !== undefined) await rest.post('/registered-models/alias', { name, alias, version: number });
  }
  progress.models += 1;
  step();
}

/** Versions that came before, by their former number; a search for prompts alone finds those of prompts. */
async function knownVersions({ rest }: ServerTarget, name: string): Promise<ReadonlyMap<string, Json>> {
  const known = new Map<string, Json>();
  const quote = name.includes("'") ? '"' : "'";
  for (const kind of ['', " AND tags.`mlflow.prompt.is_prompt` = 'true'"]) {
    const query = { filter: `name=${quote}${name}${quote}${kind}`, max_results: 1000 };
    for await (const version of itemsOf(rest, '/model-versions/search', 'model_versions', query)) {
      const former = valueOf(toPairs(version['tags']), sourceTag);
      if (former !== undefined) known.set(former, version);
    }
  }
  return known;
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}

function whyStaying(name: string, versions: readonly VersionRecord[]): string {
  const numbers = versions.map(({ version }) => version).toSorted((a, b) => a - b);
  const which = `${numbers.length === 1 ? 'version' : 'versions'} ${numbers.join(', ')} of model "${name}"`;
  return `${which}: registered by a pipeline, without an address that a server of MLflow takes (an export to a folder has the registry whole)`;
}

/** Where a version's files are for the server; empty for what a pipeline has registered. */
function sourceThere(target: ServerTarget, version: VersionRecord): string {
  const place = placeThere(target, version);
  return place === undefined ? version.source : toIndirect(place.id, place.path);
}

/** The run or logged model there that has them, and where in it. */
function placeThere({ places }: ServerTarget, { storageLocation }: VersionRecord) {
  const owner = ownerOfUri(storageLocation);
  const id = owner && places.get(owner.id)?.id;
  return owner === undefined || id === undefined ? undefined : { id, path: owner.path };
}

/** A source that the server does not take (a path of another machine) is told, and the rest goes on. */
async function makeVersion(target: ServerTarget, name: string, version: VersionRecord): Promise<Json | undefined> {
  const { rest, left, places } = target;
  const place = placeThere(target, version);
  const runId = version.trackingRunId === undefined ? undefined : places.get(version.trackingRunId)?.id;
  const body = {
    name,
    source: sourceThere(target, version),
    ...(place?.id.startsWith('m-') === true && { model_id: place.id }),
    ...(runId !== undefined && { run_id: runId }),
    description: version.description,
    tags: [...withoutOwnTags(version.tags), { key: sourceTag, value: String(version.version) }],
  };
  try {
    return object((await rest.post('/model-versions/create', body))['model_version']);
  } catch (error) {
    if (!isMlflowError(error, 'INVALID_PARAMETER_VALUE')) throw error;
    left.push(`version ${version.version} of model "${name}": ${(error as Error).message}`);
    return undefined;
  }
}

/** `models:/m-…` and `runs:/…`: servers refuse the plain address of a folder. */
const toIndirect = (id: string, path: string): string =>
  `${id.startsWith('m-') ? 'models' : 'runs'}:/${id}${path === '' ? '' : `/${path}`}`;
