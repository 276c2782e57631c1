import type { FastifyInstance } from 'fastify';
import { type FeatureViewView, getFeatures, getFeatureView, listFeatureViews } from '#contracts/features';
import type { Database } from '#platform/database';
import { nearestName } from '#platform/errors';
import { registerOperation } from '#platform/http';
import { featuresErrors } from './features-errors.ts';
import type { FeaturesApi } from './features-service.ts';
import { type FeatureView, listViews } from './features-store.ts';

export function registerFeatureRoutes(
  app: FastifyInstance,
  { database, features }: { readonly database: Database; readonly features: FeaturesApi },
): void {
  registerOperation(app, listFeatureViews, async ({ context }, answer) =>
    answer(200, { items: (await listViews(database.read, context.project)).map(toView) }),
  );

  registerOperation(app, getFeatureView, async ({ params, context }, answer) => {
    const views = await listViews(database.read, context.project);
    const found = views.find(({ name }) => name === params.name);
    if (found === undefined)
      throw featuresErrors.FEATURE_VIEW_NOT_FOUND(
        params.name,
        nearestName(
          params.name,
          views.map(({ name }) => name),
        ),
      );
    return answer(200, toView(found));
  });

  registerOperation(app, getFeatures, async ({ body, context }, answer) => {
    const found = await features.get(context.project, body, context.signal);
    return answer(200, { columns: [...found.columns], rows: found.rows.map((row) => [...row]), read: [...found.read] });
  });
}

function toView(view: FeatureView): FeatureViewView {
  return {
    name: view.name,
    spec: view.spec,
    ...(view.sql !== undefined && { sql: view.sql }),
    datasets: [...view.datasets],
    generation: view.generation,
  };
}
