import type { Reader, Unit } from '#platform/database';
import { parseExactJson, writeExactJson } from '#platform/exact-json';
import { inList } from '#platform/sql';
import type { EvaluationTables } from './evaluation-tables.ts';
import type { EvaluationRecord } from './record-rules.ts';

export interface StoredRecord extends EvaluationRecord {
  readonly recordId: string;
  readonly inputHash: string;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly createdBy: string | undefined;
  readonly updatedBy: string | undefined;
}

type RecordRow = EvaluationTables['evaluation_records'];

const columns = [
  'evaluation_records.record_id',
  'evaluation_records.dataset_id',
  'evaluation_records.input_hash',
  'evaluation_records.inputs',
  'evaluation_records.outputs',
  'evaluation_records.expectations',
  'evaluation_records.tags',
  'evaluation_records.source',
  'evaluation_records.created_ms',
  'evaluation_records.updated_ms',
  'evaluation_records.created_by',
  'evaluation_records.updated_by',
] as const;

/** These columns hold what this store wrote, so that their types are known. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
const parse = <Value>(text: string): Value => parseExactJson(text) as Value;
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
const parseOptional = <Value>(text: string | null): Value | undefined => (text === null ? undefined : parse(text));

const rowToRecord = (row: RecordRow): StoredRecord => ({
  recordId: row.record_id,
  inputHash: row.input_hash,
  inputs: parse(row.inputs),
  outputs: parseOptional(row.outputs),
  expectations: parseOptional(row.expectations),
  tags: parse(row.tags),
  source: parseOptional(row.source),
  createdMs: row.created_ms,
  updatedMs: row.updated_ms,
  createdBy: row.created_by ?? undefined,
  updatedBy: row.updated_by ?? undefined,
});

const select = (reader: Reader, datasetId: string) =>
  reader
    .query<EvaluationTables>()
    .selectFrom('evaluation_records')
    .select(columns)
    .where('evaluation_records.dataset_id', '=', datasetId);

export async function listRecordsByHash(
  reader: Reader,
  datasetId: string,
  hashes: readonly string[],
): Promise<readonly StoredRecord[]> {
  const rows = await select(reader, datasetId)
    .where(inList(reader, 'evaluation_records.input_hash', hashes))
    .execute();
  return rows.map(rowToRecord);
}

/** In the order in which they came; `after` is the last one of the page before. */
export async function listRecordsAfter(
  reader: Reader,
  datasetId: string,
  page: { readonly after?: readonly [createdMs: number, recordId: string]; readonly limit: number },
): Promise<readonly StoredRecord[]> {
  let query = select(reader, datasetId);
  if (page.after !== undefined) {
    const [createdMs, recordId] = page.after;
    query = query.where((record) =>
      record(
        record.refTuple('evaluation_records.created_ms', 'evaluation_records.record_id'),
        '>',
        record.tuple(createdMs, recordId),
      ),
    );
  }
  const rows = await query
    .orderBy('evaluation_records.created_ms')
    .orderBy('evaluation_records.record_id')
    .limit(page.limit)
    .execute();
  return rows.map(rowToRecord);
}

const optional = (value: EvaluationRecord['outputs']) => (value === undefined ? null : writeExactJson(value));

/** How many rows go into one statement: their values stay below the parameters that both databases allow. */
const batchRows = 500;

/** Writes records, over those of the same inputs. */
export async function putRecords(unit: Unit, datasetId: string, records: readonly StoredRecord[]): Promise<void> {
  const rows = records.map((record): RecordRow => {
    return {
      record_id: record.recordId,
      dataset_id: datasetId,
      input_hash: record.inputHash,
      inputs: writeExactJson(record.inputs),
      outputs: optional(record.outputs),
      expectations: optional(record.expectations),
      tags: writeExactJson(record.tags),
      source: optional(record.source),
      created_ms: record.createdMs,
      updated_ms: record.updatedMs,
      created_by: record.createdBy ?? null,
      updated_by: record.updatedBy ?? null,
    };
  });
  for (let at = 0; at < rows.length; at += batchRows)
    await unit
      .query<EvaluationTables>()
      .insertInto('evaluation_records')
      .values(rows.slice(at, at + batchRows))
      .onConflict((conflict) =>
        conflict.columns(['dataset_id', 'input_hash']).doUpdateSet((row) => ({
          outputs: row.ref('excluded.outputs'),
          expectations: row.ref('excluded.expectations'),
          tags: row.ref('excluded.tags'),
          updated_ms: row.ref('excluded.updated_ms'),
          updated_by: row.ref('excluded.updated_by'),
        })),
      )
      .execute();
}

/** Answers how many were there. */
export async function deleteRecords(unit: Unit, datasetId: string, recordIds: readonly string[]): Promise<number> {
  const { numDeletedRows } = await unit
    .query<EvaluationTables>()
    .deleteFrom('evaluation_records')
    .where('evaluation_records.dataset_id', '=', datasetId)
    .where(inList(unit, 'evaluation_records.record_id', recordIds))
    .executeTakeFirst();
  return Number(numDeletedRows);
}

export async function countRecords(reader: Reader, datasetId: string): Promise<number> {
  const { count } = await reader
    .query<EvaluationTables>()
    .selectFrom('evaluation_records')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('evaluation_records.dataset_id', '=', datasetId)
    .executeTakeFirstOrThrow();
  return count;
}
