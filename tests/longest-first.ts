import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Takes minutes, mostly of one core: begun last it would run on when all others are done. */
const isLongest = ({ moduleId }: TestSpecification): boolean => moduleId.endsWith('tests/demo.test.ts');

/** The demo first, the other files in Vitest's own order beside it. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const others = files.filter((file) => !isLongest(file));
    // oxlint-disable-next-line unicorn/no-array-sort -- Vitest's own method of this name, no array's
    return [...files.filter(isLongest), ...(await super.sort(others))];
  }
}
