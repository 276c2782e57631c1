import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Takes minutes, mostly of one core: begun last it would run on when all others are done. */
const longest = 'tests/demo.test.ts';

/** The demo first, the other files in Vitest's own order beside it. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLongest = ({ moduleId }: TestSpecification): boolean => moduleId.endsWith(longest);
    return [...sorted.filter(isLongest), ...sorted.filter((file) => !isLongest(file))];
  }
}
