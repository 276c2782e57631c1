export { createFeaturesModule, type FeaturesModule } from './features-module.ts';
export type { FeatureRow, FeaturesApi, FeaturesDeps, JoinPlan } from './features-service.ts';
