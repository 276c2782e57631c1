import { formatReference } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import type { Ids } from '#platform/ids';
import { deleteAssessmentRow, findAssessment, putAssessment } from './assessment-store.ts';
import { toStorable } from './span-content.ts';
import { findTraceRow } from './trace-store.ts';
import type { TracesDeps } from './traces-deps.ts';
import { tracesErrors } from './traces-errors.ts';
import type { Assessment, AssessmentError, NewAssessment } from './traces-types.ts';

interface AssessmentName {
  readonly project: string;
  readonly traceId: string;
  readonly assessmentId: string;
}

/** What is absent stays as it is. */
export interface AssessmentChange {
  readonly name?: string | undefined;
  readonly feedback?: { readonly value: unknown; readonly error?: AssessmentError | undefined } | undefined;
  readonly expectation?: { readonly value: unknown } | undefined;
  readonly rationale?: string | undefined;
  /** Put beside what is there, key by key. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly valid?: boolean | undefined;
}

export interface AssessmentService {
  /** One that replaces another makes that one invalid. TRACE_NOT_FOUND, TRACE_ASSESSMENT_NOT_FOUND. */
  createAssessment(
    unit: Unit,
    input: { readonly project: string; readonly traceId: string; readonly assessment: NewAssessment },
  ): Promise<Assessment>;
  /** TRACE_NOT_FOUND, TRACE_ASSESSMENT_NOT_FOUND. */
  assessment(reader: Reader, name: AssessmentName): Promise<Assessment>;
  updateAssessment(unit: Unit, input: AssessmentName & { readonly change: AssessmentChange }): Promise<Assessment>;
  /** What it had replaced is valid again; one that is not there is no error. */
  deleteAssessment(unit: Unit, input: AssessmentName): Promise<void>;
}

const maxNameLength = 250;
const maxTextLength = 65_535;
const maxValueLength = 1_048_575;

/** JSON without what PostgreSQL's texts cannot hold. */
function clean<T>(value: T): T {
  const json = JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'string' ? toStorable(inner) : inner));
  if (json !== undefined && json.length > maxValueLength)
    throw tracesErrors.TRACE_VALUE_INVALID(`an assessment holds at most ${maxValueLength} characters of JSON`);
  return json === undefined ? value : (JSON.parse(json) as T); // as it was, but for characters
}

function requireName(name: string): string {
  if (name === '' || name.length > maxNameLength || name.includes('\0'))
    throw tracesErrors.TRACE_VALUE_INVALID(
      `Invalid value "${name.slice(0, 100)}" for parameter 'assessment_name' supplied: a name has 1 to ${maxNameLength} characters.`,
    );
  return toStorable(name);
}

function requireAssessmentId(id: string): string {
  if (!/^[\w-]{1,100}$/.test(id))
    throw tracesErrors.TRACE_VALUE_INVALID(
      `Invalid value "${id.slice(0, 100)}" for parameter 'assessment_id' supplied.`,
    );
  return id;
}

const cut = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : toStorable(text).slice(0, maxTextLength);

/** A new assessment with what its maker left out. */
export function completeAssessment(unit: Unit, ids: Ids, traceId: string, given: NewAssessment): Assessment {
  return {
    ...given,
    assessmentId: given.assessmentId === undefined ? `a-${ids.hex32()}` : requireAssessmentId(given.assessmentId),
    traceId,
    name: requireName(given.name),
    value: clean(given.value),
    error: clean(given.error),
    sourceType: toStorable(given.sourceType),
    sourceId: cut(given.sourceId) ?? '',
    rationale: cut(given.rationale),
    metadata: clean(given.metadata),
    spanId: cut(given.spanId),
    overrides: given.overrides === undefined ? undefined : requireAssessmentId(given.overrides),
    valid: given.valid ?? true,
    createdMs: given.createdMs ?? unit.nowMs,
    updatedMs: given.updatedMs ?? unit.nowMs,
  };
}

async function get(reader: Reader, { project, traceId, assessmentId }: AssessmentName): Promise<Assessment> {
  const found = await findAssessment(reader, project, traceId, assessmentId);
  if (found !== undefined) return found;
  if ((await findTraceRow(reader, project, traceId)) === undefined)
    throw tracesErrors.TRACE_NOT_FOUND(traceId.slice(0, 100));
  throw tracesErrors.TRACE_ASSESSMENT_NOT_FOUND(assessmentId.slice(0, 100), traceId);
}

const isExpectation = ({ kind }: Assessment): boolean => kind === 'expectation';

function changed(before: Assessment, change: AssessmentChange): Assessment {
  const { feedback, expectation, metadata } = change;
  if (expectation !== undefined && feedback !== undefined)
    throw tracesErrors.TRACE_VALUE_INVALID('Cannot specify both `expectation` and `feedback` parameters.');
  if (expectation !== undefined && !isExpectation(before))
    throw tracesErrors.TRACE_VALUE_INVALID('Cannot update expectation value on a Feedback assessment.');
  if (feedback !== undefined && before.kind !== 'feedback')
    throw tracesErrors.TRACE_VALUE_INVALID('Cannot update feedback value on an Expectation assessment.');
  const value = feedback ?? expectation;
  return {
    ...before,
    ...(change.name !== undefined && { name: requireName(change.name) }),
    ...(value !== undefined && { value: clean(value.value) }),
    ...(feedback !== undefined && { error: clean(feedback.error) }),
    ...(change.rationale !== undefined && { rationale: cut(change.rationale) }),
    ...(metadata !== undefined && { metadata: clean({ ...before.metadata, ...metadata }) }),
    ...(change.valid !== undefined && { valid: change.valid }),
  };
}

export function createAssessmentService({ ids }: TracesDeps): AssessmentService {
  return {
    async createAssessment(unit, { project, traceId, assessment: given }) {
      if ((await findTraceRow(unit, project, traceId)) === undefined)
        throw tracesErrors.TRACE_NOT_FOUND(traceId.slice(0, 100));
      const assessment = completeAssessment(unit, ids, traceId, given);
      if (await findAssessment(unit, project, traceId, assessment.assessmentId))
        throw tracesErrors.TRACE_VALUE_INVALID(`the assessment ${assessment.assessmentId} is there already`);
      if (assessment.overrides !== undefined) {
        const replaced = await get(unit, { project, traceId, assessmentId: assessment.overrides });
        await putAssessment(unit, project, { ...replaced, valid: false });
      }
      await putAssessment(unit, project, assessment);
      await unit.emit({
        type: 'trace.assessed',
        project,
        subject: formatReference('trace', traceId),
        data: { traceId, assessmentId: assessment.assessmentId, kind: assessment.kind },
      });
      return assessment;
    },

    assessment: get,

    async updateAssessment(unit, { change, ...name }) {
      const after = { ...changed(await get(unit, name), change), updatedMs: unit.nowMs };
      await putAssessment(unit, name.project, after);
      return after;
    },

    async deleteAssessment(unit, { project, traceId, assessmentId }) {
      if ((await findTraceRow(unit, project, traceId)) === undefined)
        throw tracesErrors.TRACE_NOT_FOUND(traceId.slice(0, 100));
      const found = await findAssessment(unit, project, traceId, assessmentId);
      if (found === undefined) return;
      const replaced =
        found.overrides === undefined ? undefined : await findAssessment(unit, project, traceId, found.overrides);
      if (replaced !== undefined) await putAssessment(unit, project, { ...replaced, valid: true });
      await deleteAssessmentRow(unit, project, traceId, assessmentId);
    },
  };
}
