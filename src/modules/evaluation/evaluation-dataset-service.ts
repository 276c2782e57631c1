import { createHash } from 'node:crypto';
import { formatReference, parseReference } from '#contracts/references';
import type { TrackingApi } from '#modules/tracking';
import type { Reader, Unit } from '#platform/database';
import type { ExactJson } from '#platform/exact-json';
import {
  addDatasetExperiments,
  type DatasetSearch,
  deleteDataset,
  deleteDatasetTag,
  type EvaluationDataset,
  findDataset,
  insertDataset,
  putDatasetTags,
  removeDatasetExperiments,
  searchDatasets,
  updateDataset,
} from './evaluation-dataset-store.ts';
import { evaluationErrors } from './evaluation-errors.ts';
import {
  countRecords,
  deleteRecords,
  listRecordsAfter,
  listRecordsByHash,
  putRecords,
  type StoredRecord,
} from './evaluation-record-store.ts';
import { emptySchema, extendSchema, hashInputs, mergeRecord, readRecord, userOf } from './record-rules.ts';

type Tags = readonly { readonly key: string; readonly value: string }[];
interface DatasetName {
  readonly project: string;
  readonly datasetId: string;
}

/** Rows to evaluate against, with what is expected of each: kept for whoever evaluates, judged by nobody here. */
export interface EvaluationDatasetsApi {
  /** EVALUATION_EXPERIMENT_NOT_FOUND, EVALUATION_VALUE_INVALID. */
  create(
    unit: Unit,
    input: {
      readonly project: string;
      readonly name: string;
      readonly tags: Tags;
      readonly experimentIds: readonly string[];
    },
  ): Promise<EvaluationDataset>;
  /** EVALUATION_DATASET_NOT_FOUND, as of everything below that names a dataset. */
  get(reader: Reader, project: string, datasetId: string): Promise<EvaluationDataset>;
  search(
    reader: Reader,
    query: DatasetSearch,
  ): Promise<{ readonly items: readonly EvaluationDataset[]; readonly more: boolean }>;
  /** With its records. Nothing happens when there is none. */
  remove(unit: Unit, name: DatasetName): Promise<void>;
  setTags(unit: Unit, input: DatasetName & { readonly tags: Tags }): Promise<void>;
  /** Nothing happens when there is no such tag, or no such dataset. */
  deleteTag(unit: Unit, input: DatasetName & { readonly key: string }): Promise<void>;
  addExperiments(
    unit: Unit,
    input: DatasetName & { readonly experimentIds: readonly string[] },
  ): Promise<EvaluationDataset>;
  removeExperiments(
    unit: Unit,
    input: DatasetName & { readonly experimentIds: readonly string[] },
  ): Promise<EvaluationDataset>;
  /** A record of inputs that are there already changes that one. EVALUATION_RECORD_INVALID: then none is kept. */
  upsertRecords(
    unit: Unit,
    input: DatasetName & { readonly records: readonly ExactJson[] },
  ): Promise<{ readonly inserted: number; readonly updated: number }>;
  /** Answers how many were there. */
  deleteRecords(unit: Unit, input: DatasetName & { readonly recordIds: readonly string[] }): Promise<number>;
  /** In the order in which they came; `after`: the last one of the page before. */
  records(
    reader: Reader,
    input: DatasetName & { readonly after?: readonly [createdMs: number, recordId: string]; readonly limit: number },
  ): Promise<readonly StoredRecord[]>;
}

export interface EvaluationDatasetDeps {
  readonly tracking: Pick<TrackingApi, 'lifecycles'>;
  readonly lineage: {
    record(
      unit: Unit,
      project: string,
      edges: readonly { readonly from: string; readonly to: string; readonly kind: string }[],
    ): Promise<void>;
  };
}

const limits = { name: 255, tagKey: 255, tagValue: 5000 } as const;
const invalid = evaluationErrors.EVALUATION_VALUE_INVALID;

function requireAtMost(what: string, text: string, most: number): void {
  if (text.trim() === '') throw invalid(`the ${what} of an evaluation dataset cannot be blank`);
  if (text.length > most) throw invalid(`the ${what} has ${text.length} characters; at most ${most} are kept`);
}

function requireTags(tags: Tags): void {
  for (const { key, value } of tags) {
    requireAtMost('tag key', key, limits.tagKey);
    if (value.length > limits.tagValue)
      throw invalid(`the value of tag "${key}" has ${value.length} characters; at most ${limits.tagValue} are kept`);
  }
}

/** Says which state of the records was evaluated: it changes with every change of them. */
const digestOf = (name: string, changeId: string) =>
  createHash('sha256').update(`${name}:${changeId}`).digest('hex').slice(0, 8);
const hexId = (unit: Unit) => unit.newId().replaceAll('-', '');
const referenceOf = (datasetId: string) => formatReference('evaluation-dataset', datasetId);

async function get(reader: Reader, project: string, datasetId: string): Promise<EvaluationDataset> {
  const dataset = await findDataset(reader, project, datasetId);
  if (dataset === undefined) throw evaluationErrors.EVALUATION_DATASET_NOT_FOUND(datasetId);
  return dataset;
}

export function createEvaluationDatasets({ tracking, lineage }: EvaluationDatasetDeps): EvaluationDatasetsApi {
  async function requireExperiments(unit: Unit, project: string, ids: readonly string[]): Promise<void> {
    const found = await tracking.lifecycles(unit, project, ids);
    const missing = ids.find((id) => !found.has(id));
    if (missing !== undefined) throw evaluationErrors.EVALUATION_EXPERIMENT_NOT_FOUND(missing);
  }

  /** Runs that log the dataset name it by name and digest: the graph leads from there to the dataset. */
  async function recordState(unit: Unit, { project, datasetId, name }: EvaluationDataset, digest: string) {
    const state = formatReference('dataset', name, digest);
    if (parseReference(state) !== undefined)
      await lineage.record(unit, project, [{ from: referenceOf(datasetId), to: state, kind: 'produced' }]);
  }

  async function changed(
    unit: Unit,
    dataset: EvaluationDataset,
    counts: { readonly inserted: number; readonly updated: number; readonly deleted: number },
    more: { readonly schema_json?: string; readonly updated_by?: string | null } = {},
  ): Promise<void> {
    const { project, datasetId, name } = dataset;
    const digest = digestOf(name, unit.newId());
    const record_count = await countRecords(unit, datasetId);
    await updateDataset(unit, datasetId, { digest, record_count, updated_ms: unit.nowMs, ...more });
    await recordState(unit, dataset, digest);
    const data = { datasetId, digest, ...counts };
    await unit.emit({ type: 'evaluation-dataset.changed', project, subject: referenceOf(datasetId), data });
  }

  return {
    get,
    search: searchDatasets,

    async create(unit, { project, name, tags, experimentIds }) {
      requireAtMost('name', name, limits.name);
      requireTags(tags);
      await requireExperiments(unit, project, experimentIds);
      const datasetId = `d-${hexId(unit)}`;
      const user = userOf(Object.fromEntries(tags.map(({ key, value }) => [key, value])));
      const dataset: EvaluationDataset = {
        datasetId,
        project,
        name,
        digest: digestOf(name, datasetId),
        schema: undefined,
        recordCount: 0,
        createdMs: unit.nowMs,
        updatedMs: unit.nowMs,
        createdBy: user,
        updatedBy: user,
        tags: {},
        experimentIds: [],
      };
      await insertDataset(unit, dataset);
      await putDatasetTags(unit, datasetId, tags);
      await addDatasetExperiments(unit, datasetId, experimentIds);
      await recordState(unit, dataset, dataset.digest);
      const data = { datasetId, name };
      await unit.emit({ type: 'evaluation-dataset.created', project, subject: referenceOf(datasetId), data });
      return get(unit, project, datasetId);
    },

    async remove(unit, { project, datasetId }) {
      if ((await findDataset(unit, project, datasetId)) === undefined) return;
      await deleteDataset(unit, datasetId);
      const data = { datasetId };
      await unit.emit({ type: 'evaluation-dataset.removed', project, subject: referenceOf(datasetId), data });
    },

    async setTags(unit, { project, datasetId, tags }) {
      requireTags(tags);
      await get(unit, project, datasetId);
      await putDatasetTags(unit, datasetId, tags);
    },

    async deleteTag(unit, { project, datasetId, key }) {
      if ((await findDataset(unit, project, datasetId)) !== undefined) await deleteDatasetTag(unit, datasetId, key);
    },

    async addExperiments(unit, { project, datasetId, experimentIds }) {
      await get(unit, project, datasetId);
      await requireExperiments(unit, project, experimentIds);
      await addDatasetExperiments(unit, datasetId, experimentIds);
      await updateDataset(unit, datasetId, { updated_ms: unit.nowMs });
      return get(unit, project, datasetId);
    },

    async removeExperiments(unit, { project, datasetId, experimentIds }) {
      await get(unit, project, datasetId);
      await removeDatasetExperiments(unit, datasetId, experimentIds);
      await updateDataset(unit, datasetId, { updated_ms: unit.nowMs });
      return get(unit, project, datasetId);
    },

    async upsertRecords(unit, { project, datasetId, records }) {
      const dataset = await get(unit, project, datasetId);
      const given = records.map(readRecord).map((record) => ({ record, hash: hashInputs(record.inputs) }));
      const known = await listRecordsByHash(
        unit,
        datasetId,
        given.map(({ hash }) => hash),
      );
      const kept = new Map(known.map((record) => [record.inputHash, record]));
      let inserted = 0;
      for (const { record, hash } of given) {
        const before = kept.get(hash);
        const user = userOf(record.tags);
        if (before === undefined) inserted += 1;
        kept.set(hash, {
          recordId: before?.recordId ?? `dr-${hexId(unit)}`,
          inputHash: hash,
          createdMs: before?.createdMs ?? unit.nowMs,
          createdBy: before === undefined ? user : before.createdBy,
          ...(before === undefined ? record : mergeRecord(before, record)),
          updatedMs: unit.nowMs,
          updatedBy: user ?? before?.updatedBy,
        });
      }
      await putRecords(unit, datasetId, [...kept.values()]);
      const schema = extendSchema(
        dataset.schema ?? emptySchema,
        given.map(({ record }) => record),
      );
      const user = given.findLast(({ record }) => userOf(record.tags) !== undefined)?.record;
      const counts = { inserted, updated: given.length - inserted };
      await changed(
        unit,
        dataset,
        { ...counts, deleted: 0 },
        {
          ...((dataset.schema !== undefined || given.length > 0) && { schema_json: JSON.stringify(schema) }),
          updated_by: (user && userOf(user.tags)) ?? null,
        },
      );
      return counts;
    },

    async deleteRecords(unit, { project, datasetId, recordIds }) {
      const dataset = await get(unit, project, datasetId);
      const deleted = await deleteRecords(unit, datasetId, recordIds);
      if (deleted > 0) await changed(unit, dataset, { inserted: 0, updated: 0, deleted });
      return deleted;
    },

    async records(reader, { project, datasetId, ...page }) {
      await get(reader, project, datasetId);
      return listRecordsAfter(reader, datasetId, page);
    },
  };
}
