import { checkImported, exportModels, type ModelRecord } from '#contracts/transfer';
import type { Expected } from './import-report.ts';
import type { TidemillApi } from './target-api.ts';

const idsAtOnce = 500;
/** Differences told one by one; the rest is a number. */
const mostTold = 50;

interface Verified {
  readonly found: ReadonlyMap<string, { readonly runs: number; readonly loggedModels: number }>;
  readonly differences: readonly string[];
}

/** Counts what is really in the project and compares each run, logged model and version with what the source has. */
export async function verifyImport(
  api: TidemillApi,
  expected: ReadonlyMap<string, Expected>,
  models: readonly ModelRecord[],
): Promise<Verified> {
  const differences: string[] = [];
  const found = new Map<string, { runs: number; loggedModels: number }>();
  const ids = [...expected.keys()];
  for (let at = 0; at < ids.length; at += idsAtOnce) {
    const { items } = await api.call(checkImported, { body: { ids: ids.slice(at, at + idsAtOnce), count: true } });
    for (const item of items) {
      const wanted = expected.get(item.id);
      if (wanted === undefined) continue;
      const problem = item.found === undefined ? 'is not here' : differenceOf(item.id, wanted, item.found);
      if (problem !== undefined) {
        differences.push(`${nounOf(item.id)} ${item.id} of "${wanted.experiment}" ${problem}`);
        continue;
      }
      const counts = found.get(wanted.experiment) ?? { runs: 0, loggedModels: 0 };
      if (isModel(item.id)) counts.loggedModels += 1;
      else counts.runs += 1;
      found.set(wanted.experiment, counts);
    }
  }
  differences.push(...(await compareModels(api, models)));
  const told = differences.slice(0, mostTold);
  if (differences.length > mostTold) told.push(`and ${differences.length - mostTold} more`);
  return { found, differences: told };
}

export const isModel = (id: string): boolean => id.startsWith('m-');
const nounOf = (id: string): string => (isModel(id) ? 'logged model' : 'run');

interface Found {
  readonly points: number;
  readonly params: number;
  readonly tags: number;
  readonly files: number;
  readonly fileBytes: number;
  readonly filesDigest: string;
}

/** More than the source has is no loss: whoever works here already adds to it. */
function differenceOf(id: string, wanted: Expected, found: Found): string | undefined {
  const counts = [
    ...(isModel(id) ? [] : [['points', wanted.points, found.points] as const]),
    ['params', wanted.params, found.params] as const,
    ['tags', wanted.tags, found.tags] as const,
    ['files', wanted.files, found.files] as const,
  ];
  const fewer = counts
    .filter(([, there, here]) => here < there)
    .map(([what, there, here]) => `${here} of ${there} ${what}`);
  if (fewer.length > 0) return `has ${fewer.join(', ')}`;
  if (wanted.files === found.files && wanted.digest !== found.filesDigest) return 'has files with other bytes';
  return undefined;
}

async function compareModels(api: TidemillApi, models: readonly ModelRecord[]): Promise<string[]> {
  if (models.length === 0) return [];
  const here = new Map<string, ModelRecord>();
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await api.call(exportModels, { query: { ...(cursor !== undefined && { cursor }) } });
    for (const model of page.items) {
      const before = here.get(model.name);
      here.set(
        model.name,
        before === undefined ? model : { ...before, versions: [...before.versions, ...model.versions] },
      );
    }
    cursor = page.next;
  }
  return models.flatMap((model) => {
    const found = here.get(model.name);
    if (found === undefined) return [`model "${model.name}" is not here`];
    const versions = new Map(found.versions.map((version) => [version.version, version]));
    return model.versions.flatMap((version) => {
      const own = versions.get(version.version);
      const name = `version ${version.version} of model "${model.name}"`;
      if (own === undefined) return [`${name} is not here`];
      if (own.createdMs !== version.createdMs) return []; // told as left: another one has its number
      if (own.stage !== version.stage) return [`${name} is in stage ${own.stage}, not ${version.stage}`];
      if (own.files.length < version.files.length)
        return [`${name} has ${own.files.length} of ${version.files.length} files`];
      const tags = new Map(own.tags.map(({ key, value }) => [key, value]));
      return version.tags.some(({ key, value }) => tags.get(key) !== value) ? [`${name} has other tags`] : [];
    });
  });
}
