import { artifactPages, artifacts } from './artifacts.ts';
import { gateway, pages } from './elsewhere.ts';
import type { Area } from './endpoint.ts';
import { experiments } from './experiments.ts';
import { evaluationDatasets, scorers, webhooks } from './genai.ts';
import { loggedModels } from './logged-models.ts';
import { modelVersions, registeredModels } from './models.ts';
import { runs } from './runs.ts';
import { plainServer, server } from './server.ts';
import { otlp, traces } from './traces.ts';

/** Every endpoint of MLflow's that its clients or pages call, by area. docs/reference/mlflow.md is printed from it. */
export const conformanceTable = {
  experiments,
  runs,
  loggedModels,
  registeredModels,
  modelVersions,
  artifacts,
  artifactPages,
  traces,
  otlp,
  webhooks,
  scorers,
  evaluationDatasets,
  server,
  plainServer,
  pages,
  gateway,
} as const satisfies Readonly<Record<string, Area>>;

export type AreaName = keyof typeof conformanceTable;
