import type { Reader, Unit } from '#platform/database';
import { fromBit, inList, parseJson, toBit } from '#platform/sql';
import type { AssessmentRow, TracesTables } from './traces-tables.ts';
import type { Assessment, AssessmentError } from './traces-types.ts';

const assessmentColumns = [
  'traces_assessments.project',
  'traces_assessments.trace_id',
  'traces_assessments.assessment_id',
  'traces_assessments.kind',
  'traces_assessments.name',
  'traces_assessments.value_json',
  'traces_assessments.value_text',
  'traces_assessments.value_number',
  'traces_assessments.error_json',
  'traces_assessments.source_type',
  'traces_assessments.source_id',
  'traces_assessments.rationale',
  'traces_assessments.metadata_json',
  'traces_assessments.span_id',
  'traces_assessments.overrides',
  'traces_assessments.valid',
  'traces_assessments.created_ms',
  'traces_assessments.updated_ms',
] as const;

/** Long values are compared by their beginning. */
const maxTextLength = 4000;

export function toAssessmentRow(project: string, assessment: Assessment): AssessmentRow {
  const { value, error, metadata } = assessment;
  const json = value === undefined ? null : JSON.stringify(value);
  return {
    project,
    trace_id: assessment.traceId,
    assessment_id: assessment.assessmentId,
    kind: assessment.kind,
    name: assessment.name,
    value_json: json,
    value_text: (typeof value === 'string' ? value : json)?.slice(0, maxTextLength) ?? null,
    value_number: typeof value === 'number' && Number.isFinite(value) ? value : null,
    error_json: error === undefined ? null : JSON.stringify(error),
    source_type: assessment.sourceType,
    source_id: assessment.sourceId,
    rationale: assessment.rationale ?? null,
    metadata_json: metadata === undefined ? null : JSON.stringify(metadata),
    span_id: assessment.spanId ?? null,
    overrides: assessment.overrides ?? null,
    valid: toBit(assessment.valid),
    created_ms: assessment.createdMs,
    updated_ms: assessment.updatedMs,
  };
}

const rowToAssessment = (row: AssessmentRow): Assessment => ({
  assessmentId: row.assessment_id,
  traceId: row.trace_id,
  kind: row.kind,
  name: row.name,
  value: parseJson<unknown>(row.value_json),
  error: parseJson<AssessmentError>(row.error_json),
  sourceType: row.source_type,
  sourceId: row.source_id,
  rationale: row.rationale ?? undefined,
  metadata: parseJson<Readonly<Record<string, string>>>(row.metadata_json),
  spanId: row.span_id ?? undefined,
  overrides: row.overrides ?? undefined,
  valid: fromBit(row.valid),
  createdMs: row.created_ms,
  updatedMs: row.updated_ms,
});

/** What was said of several traces, by trace, the oldest first. */
export async function listAssessments(
  reader: Reader,
  project: string,
  traceIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Assessment[]>> {
  const rows = await reader
    .query<TracesTables>()
    .selectFrom('traces_assessments')
    .select(assessmentColumns)
    .where('traces_assessments.project', '=', project)
    .where(inList(reader, 'traces_assessments.trace_id', traceIds))
    .orderBy('traces_assessments.created_ms')
    .orderBy('traces_assessments.assessment_id')
    .execute();
  const found = new Map<string, Assessment[]>();
  for (const row of rows) {
    const list = found.get(row.trace_id) ?? [];
    list.push(rowToAssessment(row));
    found.set(row.trace_id, list);
  }
  return found;
}

export async function findAssessment(
  reader: Reader,
  project: string,
  traceId: string,
  assessmentId: string,
): Promise<Assessment | undefined> {
  const row = await reader
    .query<TracesTables>()
    .selectFrom('traces_assessments')
    .select(assessmentColumns)
    .where('traces_assessments.project', '=', project)
    .where('traces_assessments.trace_id', '=', traceId)
    .where('traces_assessments.assessment_id', '=', assessmentId)
    .executeTakeFirst();
  return row && rowToAssessment(row);
}

/** Writes an assessment as it is now. */
export async function putAssessment(unit: Unit, project: string, assessment: Assessment): Promise<void> {
  const row = toAssessmentRow(project, assessment);
  const { project: _project, trace_id: _trace, assessment_id: _id, ...change } = row;
  await unit
    .query<TracesTables>()
    .insertInto('traces_assessments')
    .values(row)
    .onConflict((conflict) => conflict.columns(['project', 'trace_id', 'assessment_id']).doUpdateSet(change))
    .execute();
}

export async function deleteAssessmentRow(
  unit: Unit,
  project: string,
  traceId: string,
  assessmentId: string,
): Promise<void> {
  await unit
    .query<TracesTables>()
    .deleteFrom('traces_assessments')
    .where('traces_assessments.project', '=', project)
    .where('traces_assessments.trace_id', '=', traceId)
    .where('traces_assessments.assessment_id', '=', assessmentId)
    .execute();
}
