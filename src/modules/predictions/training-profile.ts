import { Compile } from 'typebox/compile';
import { describeModel } from '#contracts/worker-scoring';
import { lazily } from '#platform/lazily';
import type { TrainingColumn, TrainingProfile } from './predictions-api.ts';

const shape = lazily(() => Compile(describeModel.output.properties.train));

/** The training profile as the registry keeps it; undefined when there is none, or none that can be read. */
export function parseTraining(stored: unknown): TrainingProfile | undefined {
  if (!shape().Check(stored)) return undefined;
  const columns = stored.columns.flatMap(({ name, cells, categories }): TrainingColumn[] => {
    if (categories !== undefined) {
      const { counts, other, nulls } = categories;
      return [{ name, kind: 'categorical', categories: categories.categories, cells: { counts, other, nulls } }];
    }
    if (cells !== undefined)
      return [{ name, kind: 'numeric', edges: cells.edges, cells: { counts: cells.counts, nulls: cells.nulls } }];
    return [];
  });
  const { cells } = stored.score;
  return {
    columns,
    score:
      cells === undefined ? undefined : { edges: cells.edges, cells: { counts: cells.counts, nulls: cells.nulls } },
  };
}
