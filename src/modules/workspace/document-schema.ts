import { type TSchema, Type } from 'typebox';
import { TriggerSpec } from '#contracts/automation';
import { DatasetSpec } from '#contracts/datasets';
import { DeploymentSpecDocument } from '#contracts/deployments';
import { FeatureViewSpec } from '#contracts/features';
import { GraphSpec } from '#contracts/graph-document';
import { MonitorSpec } from '#contracts/monitoring';
import { PipelineSpec } from '#contracts/pipelines';
import { GoalSpec } from '#contracts/projects';
import { namePattern } from '#contracts/references';

const Name = Type.String({ pattern: namePattern, description: 'a name: letters, digits, dots, dashes' });
const section = (spec: TSchema, description: string) => Type.Optional(Type.Record(Name, spec, { description }));

/** The whole of tidemill.yaml. The published JSON Schema is printed from it. */
export const TidemillDocument = Type.Object(
  {
    project: Name,
    include: Type.Optional(Type.Array(Type.String(), { description: 'further files with sections like these' })),
    goal: Type.Optional(GoalSpec),
    datasets: section(DatasetSpec, 'tables that are landed from files'),
    features: section(FeatureViewSpec, 'what is looked up of an entity as of an instant'),
    pipelines: section(PipelineSpec, 'steps that make data and models'),
    graphs: section(GraphSpec, 'models made of models, which answer as one'),
    deployments: section(DeploymentSpecDocument, 'endpoints that serve a model'),
    monitors: section(MonitorSpec, 'what is watched of a deployment'),
    triggers: Type.Optional(Type.Array(TriggerSpec, { description: 'what starts pipelines by itself' })),
  },
  {
    additionalProperties: false,
    title: 'tidemill.yaml',
    description: 'One file that says what the loop of a model is.',
  },
);

/** What documents are checked against. */
export function documentSchema(): object {
  return withoutIds(TidemillDocument);
}

/** The published form, draft 2020-12, as editors take it. */
export function printJsonSchema(): object {
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...documentSchema() };
}

/** Schemas that are named for OpenAPI stand in line here, where their names would be addresses. */
function withoutIds(value: object): object {
  return JSON.parse(JSON.stringify(value, (key, item: unknown) => (key === '$id' ? undefined : item))) as object;
}
