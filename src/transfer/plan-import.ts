import { checkImported, exportExperiments } from '#contracts/transfer';
import { chosenExperiments } from './chosen-experiments.ts';
import { type LeftBehind, printOf, type Source } from './source.ts';
import type { TidemillApi } from './target-api.ts';

export interface ImportPlan {
  readonly experiments: readonly {
    readonly name: string;
    /** The project has an experiment of that name. */
    readonly exists: boolean;
    readonly runs: number;
    /** Runs that are wholly here and have not changed since. */
    readonly unchanged: number;
    /** Undefined where the source does not say without being read. */
    readonly points: number | undefined;
    readonly loggedModels: number;
  }[];
  readonly models: number;
  readonly versions: number;
  readonly leftBehind: readonly LeftBehind[];
}

const idsAtOnce = 500;

/** What an import would bring; nothing is written. */
export async function planImport(
  source: Source,
  api: TidemillApi,
  {
    experiments: names,
    signal,
  }: { readonly experiments?: readonly string[] | undefined; readonly signal: AbortSignal },
): Promise<ImportPlan> {
  const here = new Set<string>();
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await api.call(exportExperiments, { query: { ...(cursor !== undefined && { cursor }) } });
    for (const { name } of page.items) here.add(name);
    cursor = page.next;
  }
  const experiments = [];
  for (const { record } of await chosenExperiments(source, names)) {
    let [runs, unchanged, loggedModels] = [0, 0, 0];
    let points: number | undefined = 0;
    for await (const page of source.runs(record.id)) {
      signal.throwIfAborted();
      runs += page.length;
      for (const run of page)
        points = points === undefined || run.points === undefined ? undefined : points + run.points;
      const prints = new Map(page.map((run) => [run.record.id, printOf(run.record, run.hint)]));
      const ids = [...prints.keys()];
      for (let at = 0; at < ids.length; at += idsAtOnce) {
        const body = { ids: ids.slice(at, at + idsAtOnce), count: false };
        const { items } = await api.call(checkImported, { body });
        unchanged += items.filter(({ id, mark }) => mark !== undefined && mark.print === prints.get(id)).length;
      }
    }
    for await (const page of source.loggedModels(record.id)) loggedModels += page.length;
    experiments.push({ name: record.name, exists: here.has(record.name), runs, unchanged, points, loggedModels });
  }
  let [models, versions] = [0, 0];
  for await (const model of source.models()) {
    models += 1;
    versions += model.versions.length;
  }
  return { experiments, models, versions, leftBehind: await source.leftBehind() };
}
