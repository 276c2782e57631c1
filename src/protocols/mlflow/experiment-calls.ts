import type { CallInput, MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, sendMlflowError } from './mlflow-errors.ts';
import { decodePageToken, nextPage } from './page-token.ts';
import type { WireFields } from './wire-fields.ts';
import { list, toWireExperiment } from './wire-views.ts';

export const viewTypes = { ACTIVE_ONLY: 1, DELETED_ONLY: 2, ALL: 3 } as const;
/** Active ones unless asked otherwise. */
export const lifecycleOf = (viewType: keyof typeof viewTypes | undefined) =>
  viewType === 'ALL' ? undefined : viewType === 'DELETED_ONLY' ? ('deleted' as const) : ('active' as const);

const prefix = '/2.0/mlflow/experiments';
/** Whose data sets may be asked for at once. */
const mostExperiments = 20;

/** The id of an experiment, which travels as a text. */
export function experimentIdOf(fields: WireFields): string {
  const id = fields.requiredName('experiment_id');
  if (!/^-?\d+$/.test(id))
    throw invalidParameter(`Invalid experiment ID '${id.slice(0, 100)}'. Experiment ID must be a valid integer.`);
  return id;
}

const missing = ({ reply }: CallInput, message: string) => sendMlflowError(reply, 'RESOURCE_DOES_NOT_EXIST', message);

export function experimentCalls({ database, tracking }: MlflowDeps): readonly MlflowCall[] {
  async function search({ fields, project }: CallInput) {
    const limit = fields.bounded('max_results', { preset: 1000, maximum: 50_000 });
    const offset = decodePageToken(fields.text('page_token'));
    const { items, more } = await tracking.searchExperiments(database.read, {
      project,
      filter: fields.text('filter'),
      orderBy: fields.texts('order_by'),
      lifecycle: lifecycleOf(fields.oneOf('view_type', viewTypes)),
      limit,
      offset,
    });
    return {
      ...list(
        'experiments',
        items.map((experiment) => toWireExperiment(experiment, project)),
      ),
      ...nextPage(more, offset + limit),
    };
  }

  return [
    {
      method: 'POST',
      path: `${prefix}/create`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const input = {
          project,
          name: fields.requiredName('name'),
          artifactLocation: fields.text('artifact_location'),
          tags: fields.pairs('tags'),
        };
        const id = await database.write(context.write, (unit) => tracking.createExperiment(unit, input));
        return { experiment_id: id };
      },
    },
    {
      method: 'GET',
      path: `${prefix}/get`,
      permission: 'read',
      handle: async (input) => {
        const id = experimentIdOf(input.fields);
        const experiment = await tracking.experiment(database.read, input.project, id);
        if (experiment === undefined) return missing(input, `No Experiment with id=${id} exists`);
        return { experiment: toWireExperiment(experiment, input.project) };
      },
    },
    {
      method: 'GET',
      path: `${prefix}/get-by-name`,
      permission: 'read',
      handle: async (input) => {
        const name = input.fields.requiredName('experiment_name');
        const experiment = await tracking.experimentByName(database.read, input.project, name);
        if (experiment === undefined) return missing(input, `Could not find experiment with name '${name}'`);
        return { experiment: toWireExperiment(experiment, input.project) };
      },
    },
    { method: 'POST', path: `${prefix}/search`, permission: 'read', handle: search },
    { method: 'GET', path: `${prefix}/search`, permission: 'read', handle: search },
    {
      method: 'POST',
      path: `${prefix}/search-datasets`,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const experimentIds = fields.texts('experiment_ids');
        if (experimentIds.length === 0)
          throw invalidParameter('SearchDatasets request must specify at least one experiment_id.');
        if (experimentIds.length > mostExperiments)
          throw invalidParameter(
            `SearchDatasets request cannot specify more than ${mostExperiments} experiment_ids. Received ${experimentIds.length} experiment_ids.`,
          );
        const found = await tracking.datasetSummaries(database.read, { project, experimentIds });
        return list(
          'dataset_summaries',
          found.map(({ experimentId, name, digest, context }) => ({
            experiment_id: experimentId,
            name,
            digest,
            ...(context !== undefined && { context }),
          })),
        );
      },
    },
    {
      method: 'POST',
      path: `${prefix}/delete`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const experimentId = experimentIdOf(fields);
        await tracking.deleteExperimentInSteps(context.write, { project, experimentId });
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/restore`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const experimentId = experimentIdOf(fields);
        await tracking.restoreExperimentInSteps(context.write, { project, experimentId });
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/update`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const experimentId = experimentIdOf(fields);
        const name = fields.requiredName('new_name');
        await database.write(context.write, (unit) => tracking.renameExperiment(unit, { project, experimentId, name }));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/set-experiment-tag`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const input = {
          project,
          experimentId: experimentIdOf(fields),
          key: fields.requiredName('key'),
          value: fields.text('value') ?? '',
        };
        await database.write(context.write, (unit) => tracking.setExperimentTag(unit, input));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/delete-experiment-tag`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const input = { project, experimentId: experimentIdOf(fields), key: fields.requiredName('key') };
        await database.write(context.write, (unit) => tracking.deleteExperimentTag(unit, input));
        return {};
      },
    },
  ];
}
