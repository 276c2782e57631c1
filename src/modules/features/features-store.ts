import type { FeatureViewSpec } from '#contracts/features';
import type { Reader, Unit } from '#platform/database';
import { parseJson } from '#platform/sql';
import type { FeaturesTables } from './features-tables.ts';

export interface FeatureView {
  readonly name: string;
  readonly spec: FeatureViewSpec;
  /** The query's text, of a view that is one. */
  readonly sql: string | undefined;
  readonly datasets: readonly string[];
  readonly generation: number;
}

export async function listViews(reader: Reader, project: string): Promise<readonly FeatureView[]> {
  const rows = await reader
    .query<FeaturesTables>()
    .selectFrom('feature_views')
    .select([
      'feature_views.name',
      'feature_views.spec',
      'feature_views.sql_text',
      'feature_views.datasets',
      'feature_views.generation',
    ])
    .where('feature_views.project', '=', project)
    .orderBy('feature_views.name')
    .execute();
  return rows.map((row) => ({
    name: row.name,
    spec: parseJson<FeatureViewSpec>(row.spec),
    sql: row.sql_text ?? undefined,
    datasets: parseJson<readonly string[]>(row.datasets),
    generation: row.generation,
  }));
}

export async function upsertView(unit: Unit, project: string, view: FeatureView): Promise<void> {
  const columns = {
    spec: JSON.stringify(view.spec),
    sql_text: view.sql ?? null,
    datasets: JSON.stringify(view.datasets),
    generation: view.generation,
    updated_ms: unit.nowMs,
  };
  await unit
    .query<FeaturesTables>()
    .insertInto('feature_views')
    .values({ project, name: view.name, ...columns })
    .onConflict((conflict) => conflict.columns(['project', 'name']).doUpdateSet(columns))
    .execute();
}

export async function deleteView(unit: Unit, project: string, name: string): Promise<void> {
  await unit
    .query<FeaturesTables>()
    .deleteFrom('feature_views')
    .where('feature_views.project', '=', project)
    .where('feature_views.name', '=', name)
    .execute();
}
