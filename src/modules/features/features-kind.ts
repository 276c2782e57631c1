import type { FeatureViewSpec } from '#contracts/features';
import type { Unit } from '#platform/database';
import type { ResourceKind, Snapshot, SpecProblem } from '#platform/resource-kind';
import { featuresErrors } from './features-errors.ts';
import { deleteView, listViews, upsertView } from './features-store.ts';
import { datasetsInSql } from './sql-datasets.ts';

/** `features:` in tidemill.yaml. A view's query is read from the snapshot and kept with the view. */
export const featuresKind: ResourceKind<FeatureViewSpec> = {
  section: 'features',
  kind: 'features',
  async current(reader, project) {
    return new Map((await listViews(reader, project)).map(({ name, spec }) => [name, spec]));
  },
  check(_name, spec, document) {
    const problems: SpecProblem[] = [];
    const datasets = Object.keys(document.sections['datasets'] ?? {});
    if ('dataset' in spec && !datasets.includes(spec.dataset))
      problems.push({ path: ['dataset'], message: `there is no dataset "${spec.dataset}"`, known: datasets });
    if ('sql' in spec && !document.files.includes(spec.sql))
      problems.push({ path: ['sql'], message: `there is no file "${spec.sql}"`, known: document.files });
    const sql = 'sql' in spec ? document.readText?.(spec.sql) : undefined;
    // a name with a dot may be what a step makes: known once it has run
    for (const read of sql === undefined ? [] : datasetsInSql(sql))
      if (!read.includes('.') && !datasets.includes(read))
        problems.push({ path: ['sql'], message: `the query reads "${read}", which is no dataset`, known: datasets });
    return problems;
  },
  async apply(unit, project, { name, after, snapshot }) {
    if (after === undefined) await deleteView(unit, project, name);
    else await putView(unit, project, name, after, snapshot);
  },
  async applySnapshot(unit, project, snapshot) {
    for (const view of await listViews(unit, project))
      if ('sql' in view.spec && snapshot.readText(view.spec.sql) !== view.sql)
        await putView(unit, project, view.name, view.spec, snapshot);
  },
};

async function putView(
  unit: Unit,
  project: string,
  name: string,
  spec: FeatureViewSpec,
  snapshot: Snapshot,
): Promise<void> {
  const sql = 'sql' in spec ? snapshot.readText(spec.sql) : undefined;
  if ('sql' in spec && sql === undefined) throw featuresErrors.FEATURE_SQL_MISSING(name, spec.sql);
  const known = (await listViews(unit, project)).find((view) => view.name === name);
  const generation = (known?.generation ?? 0) + 1;
  const datasets = 'dataset' in spec ? [spec.dataset] : datasetsInSql(sql ?? '');
  await upsertView(unit, project, { name, spec, sql, datasets, generation });
  await unit.emit({
    type: 'feature-view.changed',
    project,
    subject: `features:${name}`,
    data: { view: name, generation },
  });
}
