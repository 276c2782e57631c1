import type { EvaluationDataset, StoredRecord } from '#modules/evaluation';
import { type ExactJson, plainText, writeExactJson } from '#platform/exact-json';
import { decodeCursor, encodeCursor } from '#platform/sql';
import { readJsonText, readTagsText } from './json-texts.ts';
import type { CallInput, MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter } from './mlflow-errors.ts';
import { decodePageToken, nextPage } from './page-token.ts';
import { list } from './wire-views.ts';

const prefix = '/3.0/mlflow/datasets';
const named = `${prefix}/:datasetId`;

const toWireDataset = (dataset: EvaluationDataset) => ({
  dataset_id: dataset.datasetId,
  name: dataset.name,
  tags: JSON.stringify(dataset.tags),
  ...(dataset.schema !== undefined && { schema: JSON.stringify(dataset.schema) }),
  ...(dataset.recordCount > 0 && { profile: JSON.stringify({ num_records: dataset.recordCount }) }),
  digest: dataset.digest,
  created_time: dataset.createdMs,
  last_update_time: dataset.updatedMs,
  ...(dataset.createdBy !== undefined && { created_by: dataset.createdBy }),
  ...(dataset.updatedBy !== undefined && { last_updated_by: dataset.updatedBy }),
  ...list('experiment_ids', dataset.experimentIds),
});

/** A trace is known by its id, whatever else by the id that its maker gave it. */
function sourceIdOf({ source_type, source_data }: NonNullable<StoredRecord['source']>): string | undefined {
  return plainText(source_data[source_type === 'TRACE' ? 'trace_id' : 'source_id']);
}

function toWireRecord(datasetId: string, record: StoredRecord): ExactJson {
  const { source, outputs, expectations } = record;
  const sourceId = source && sourceIdOf(source);
  return {
    dataset_record_id: record.recordId,
    dataset_id: datasetId,
    inputs: record.inputs,
    ...(outputs !== undefined && { outputs }),
    ...(expectations !== undefined && { expectations }),
    tags: record.tags,
    ...(source !== undefined && { source, source_type: source.source_type }),
    ...(sourceId !== undefined && { source_id: sourceId }),
    created_time: record.createdMs,
    last_update_time: record.updatedMs,
    ...(record.createdBy !== undefined && { created_by: record.createdBy }),
    ...(record.updatedBy !== undefined && { last_updated_by: record.updatedBy }),
  };
}

function readRecordsToken(token: string): readonly [number, string] {
  const [createdMs, recordId, ...rest] = decodeCursor(token);
  if (typeof createdMs === 'number' && typeof recordId === 'string' && rest.length === 0) return [createdMs, recordId];
  throw invalidParameter('Invalid page token');
}

const nameOf = ({ project, params }: CallInput) => ({ project, datasetId: params['datasetId'] ?? '' });

/** Evaluation data sets: the calls that MLflow's client sends for `mlflow.genai.datasets`. */
export function evaluationDatasetCalls({ database, evaluationDatasets }: MlflowDeps): readonly MlflowCall[] {
  async function search({ fields, project }: CallInput): Promise<unknown> {
    const limit = fields.bounded('max_results', { preset: 1000, maximum: 50_000 });
    const offset = decodePageToken(fields.text('page_token'));
    const { items, more } = await evaluationDatasets.search(database.read, {
      project,
      experimentIds: fields.texts('experiment_ids'),
      filter: fields.text('filter_string'),
      orderBy: fields.texts('order_by'),
      limit,
      offset,
    });
    return { ...list('datasets', items.map(toWireDataset)), ...nextPage(more, offset + limit) };
  }

  async function listRecords(input: CallInput): Promise<unknown> {
    const limit = input.fields.bounded('max_results', { preset: 1000, maximum: 50_000 });
    const token = input.fields.text('page_token') || undefined;
    const name = nameOf(input);
    const found = await evaluationDatasets.records(database.read, {
      ...name,
      ...(token !== undefined && { after: readRecordsToken(token) }),
      limit: limit + 1,
    });
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    return {
      records: writeExactJson(shown.map((record) => toWireRecord(name.datasetId, record))),
      ...(found.length > limit && last && { next_page_token: encodeCursor([last.createdMs, last.recordId]) }),
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
          tags: readTagsText(fields),
          experimentIds: fields.texts('experiment_ids'),
        };
        const dataset = await database.write(context.write, (unit) => evaluationDatasets.create(unit, input));
        return { dataset: toWireDataset(dataset) };
      },
    },
    { method: 'POST', path: `${prefix}/search`, permission: 'read', handle: search },
    { method: 'GET', path: `${prefix}/search`, permission: 'read', handle: search },
    {
      method: 'GET',
      path: named,
      permission: 'read',
      handle: async (input) => {
        const { project, datasetId } = nameOf(input);
        return { dataset: toWireDataset(await evaluationDatasets.get(database.read, project, datasetId)) };
      },
    },
    {
      method: 'DELETE',
      path: named,
      permission: 'write',
      handle: async (input) => {
        await database.write(input.context.write, (unit) => evaluationDatasets.remove(unit, nameOf(input)));
        return {};
      },
    },
    {
      method: 'PATCH',
      path: `${named}/tags`,
      permission: 'write',
      handle: async (input) => {
        input.fields.requiredText('tags');
        const change = { ...nameOf(input), tags: readTagsText(input.fields) };
        await database.write(input.context.write, (unit) => evaluationDatasets.setTags(unit, change));
        return {};
      },
    },
    {
      method: 'DELETE',
      path: `${named}/tags/:key`,
      permission: 'write',
      handle: async (input) => {
        const change = { ...nameOf(input), key: input.params['key'] ?? '' };
        await database.write(input.context.write, (unit) => evaluationDatasets.deleteTag(unit, change));
        return {};
      },
    },
    { method: 'GET', path: `${named}/records`, permission: 'read', handle: listRecords },
    {
      method: 'POST',
      path: `${named}/records`,
      permission: 'write',
      handle: async (input) => {
        input.fields.requiredText('records');
        const records = readJsonText(input.fields, 'records') ?? null;
        if (!Array.isArray(records))
          throw invalidParameter("Invalid value for parameter 'records' supplied: it must be a JSON array.");
        const { inserted, updated } = await database.write(input.context.write, (unit) =>
          evaluationDatasets.upsertRecords(unit, { ...nameOf(input), records: records as readonly ExactJson[] }),
        );
        return { inserted_count: inserted, updated_count: updated };
      },
    },
    {
      method: 'DELETE',
      path: `${named}/records`,
      permission: 'write',
      handle: async (input) => {
        const change = { ...nameOf(input), recordIds: input.fields.texts('dataset_record_ids') };
        const deleted = await database.write(input.context.write, (unit) =>
          evaluationDatasets.deleteRecords(unit, change),
        );
        return { deleted_count: deleted };
      },
    },
    {
      method: 'GET',
      path: `${named}/experiment-ids`,
      permission: 'read',
      handle: async (input) => {
        const { project, datasetId } = nameOf(input);
        const { experimentIds } = await evaluationDatasets.get(database.read, project, datasetId);
        return list('experiment_ids', experimentIds);
      },
    },
    ...(['add', 'remove'] as const).map(
      (verb): MlflowCall => ({
        method: 'POST',
        path: `${named}/${verb}-experiments`,
        permission: 'write',
        handle: async (input) => {
          const change = { ...nameOf(input), experimentIds: input.fields.texts('experiment_ids') };
          const dataset = await database.write(input.context.write, (unit) =>
            verb === 'add'
              ? evaluationDatasets.addExperiments(unit, change)
              : evaluationDatasets.removeExperiments(unit, change),
          );
          return { dataset: toWireDataset(dataset) };
        },
      }),
    ),
  ];
}
