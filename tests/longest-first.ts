import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Take minutes, mostly of one core: begun last they would run on when all others are done. */
const longest = ['demo', 'mlflow-versions', 'transfer-mlflow-server', 'transfer-mlflow', 'mlflow-served'].map(
  (name) => `tests/${name}.test.ts`,
);

/** Their place among the longest; the others are behind them. */
const placeOf = ({ moduleId }: TestSpecification): number => {
  const place = longest.findIndex((path) => moduleId.endsWith(path));
  return place < 0 ? longest.length : place;
};

/** The longest first, the other files in Vitest's own order after them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- Vitest's own method of this name, no array's
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}
