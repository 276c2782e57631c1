import type { DatasetSpec } from '#contracts/datasets';
import type { ResourceKind, SpecProblem } from '#platform/resource-kind';
import { listDatasets, upsertDataset } from './datasets-store.ts';

/** `datasets:` in tidemill.yaml. A pruned dataset keeps its versions: only its declaration goes. */
export const datasetsKind: ResourceKind<DatasetSpec> = {
  section: 'datasets',
  kind: 'dataset',
  async current(reader, project) {
    const declared = (await listDatasets(reader, project)).flatMap(({ name, spec }) =>
      spec === undefined ? [] : [[name, spec] as const],
    );
    return new Map(declared);
  },
  check(_name, spec) {
    const problems: SpecProblem[] = [];
    if (spec.source.startsWith('/') || spec.source.split('/').includes('..'))
      problems.push({
        path: ['source'],
        message: 'the source must lie inside the project',
        expected: 'a relative path or glob',
      });
    for (const [index, check] of (spec.checks ?? []).entries()) {
      if ('regex' in check && !isRegExp(check.regex))
        problems.push({ path: ['checks', index, 'regex'], message: `"${check.regex}" is no regular expression` });
      if ('column' in check && !Object.keys(check).some((key) => key !== 'column' && key !== 'level'))
        problems.push({
          path: ['checks', index],
          message: `the check of "${check.column}" says nothing that must hold`,
          expected: 'one of in, min, max, not_null, unique, regex, type',
        });
    }
    return problems;
  },
  async apply(unit, project, { name, after }) {
    await upsertDataset(unit, project, name, after);
  },
};

function isRegExp(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}
