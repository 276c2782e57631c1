import { join } from 'node:path';
import type { RunRecord } from '#contracts/transfer';
import { number, text } from './json.ts';
import { toDataset } from './mlflow-dataset.ts';
import type { Meta, MlrunsFiles } from './mlruns-files.ts';
import type { LeftBehind } from './source.ts';

type Inputs = Pick<RunRecord, 'datasets' | 'modelInputs' | 'modelOutputs'>;

/** What runs of a file store have read and put out: folders of a meta.yaml each, which says of what kind it is. */
export interface MlrunsInputs {
  /** Those of the run in a folder; data sets are described beside the runs of their experiment. */
  of(run: string, datasetOf: (id: string) => Promise<Meta | undefined>): Promise<Inputs>;
  /** What cannot be told apart is nothing of the run's, and is told. */
  leftBehind(): readonly LeftBehind[];
}

export function createMlrunsInputs(files: MlrunsFiles): MlrunsInputs {
  const unknown = new Set<string>();
  const undescribed = new Set<string>();

  async function* metasIn(folder: string): AsyncGenerator<{ readonly path: string; readonly meta: Meta }> {
    for (const name of await files.foldersOf(folder))
      yield { path: join(folder, name, 'meta.yaml'), meta: (await files.readMeta(join(folder, name))) ?? {} };
  }

  return {
    async of(run, datasetOf) {
      const found: Inputs = { datasets: [], modelInputs: [], modelOutputs: [] };
      for await (const { path, meta } of metasIn(join(run, 'inputs'))) {
        const [kind, id] = [text(meta['source_type']), text(meta['source_id'])];
        const dataset = kind === 'DATASET' ? await datasetOf(id) : undefined;
        if (dataset !== undefined) found.datasets.push(toDataset(dataset, tagsOf(meta)));
        else if (kind === 'MODEL' && id !== '') found.modelInputs.push(id);
        else (kind === 'DATASET' ? undescribed : unknown).add(path);
      }
      for await (const { path, meta } of metasIn(join(run, 'outputs'))) {
        const modelId = text(meta['destination_id']);
        if (meta['destination_type'] !== 'MODEL_OUTPUT' || modelId === '') unknown.add(path);
        else found.modelOutputs.push({ modelId, step: number(meta['step']) });
      }
      return found;
    },

    leftBehind: () => [
      ...told(unknown, 'inputs or outputs of runs of no kind that the file store of MLflow has'),
      ...told(undescribed, 'inputs of runs that name a data set which is not in the store'),
    ],
  };
}

function told(paths: ReadonlySet<string>, what: string): LeftBehind[] {
  const [first] = paths;
  return first === undefined ? [] : [{ what: `${what}, such as ${first}`, count: paths.size }];
}

const tagsOf = (input: Meta) =>
  Object.entries((input['tags'] ?? {}) as Meta).map(([key, value]) => ({ key, value: text(value) }));
