import type { Reporter, TestCase, TestModule } from 'vitest/node';

const durationOf = (test: TestCase): number => test.diagnostic()?.duration ?? 0;

/** Prints the ten slowest tests and ends with one line, `N passed, N failed`. */
export default class ClosingLines implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const cases = modules.flatMap((module) => [...module.children.allTests()]);
    const slowest = cases.toSorted((a, b) => durationOf(b) - durationOf(a)).slice(0, 10);
    console.log('\nThe ten slowest tests:');
    for (const test of slowest)
      console.log(
        `${(durationOf(test) / 1000).toFixed(2).padStart(8)} s  ${test.module.relativeModuleId} > ${test.fullName}`,
      );
    const count = (state: string): number => cases.filter((test) => test.result().state === state).length;
    const brokenModules = modules.filter((module) => module.state() === 'failed' && module.errors().length > 0).length;
    const failed = count('failed') + brokenModules + unhandledErrors.length;
    const skipped = count('skipped');
    console.log(`\n${count('passed')} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  }
}
