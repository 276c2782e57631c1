import type { EvaluationResult, GateDecision } from '#contracts/evaluation';
import type { Reader, Unit } from '#platform/database';
import { parseJson } from '#platform/sql';
import type { EvaluationState, EvaluationTables } from './evaluation-tables.ts';

export interface Evaluation {
  readonly id: string;
  readonly project: string;
  readonly promotionId: string;
  readonly model: string;
  readonly version: number;
  readonly alias: string;
  readonly championVersion: number | undefined;
  readonly state: EvaluationState;
  readonly gates: readonly string[];
  readonly testReference: string | undefined;
  readonly label: string;
  readonly jobId: string;
  readonly verdict: string | undefined;
  readonly result: EvaluationResult | undefined;
  readonly decisions: readonly GateDecision[];
  readonly error: { readonly code: string; readonly message: string } | undefined;
  readonly createdMs: number;
  readonly endedMs: number | undefined;
}

const columns = [
  'evaluations.id',
  'evaluations.project',
  'evaluations.promotion_id',
  'evaluations.model',
  'evaluations.version',
  'evaluations.alias',
  'evaluations.champion_version',
  'evaluations.state',
  'evaluations.gates',
  'evaluations.test_reference',
  'evaluations.label',
  'evaluations.job_id',
  'evaluations.verdict',
  'evaluations.result',
  'evaluations.decisions',
  'evaluations.error_code',
  'evaluations.error_message',
  'evaluations.created_ms',
  'evaluations.ended_ms',
] as const;

function rowToEvaluation(row: EvaluationTables['evaluations']): Evaluation {
  return {
    id: row.id,
    project: row.project,
    promotionId: row.promotion_id,
    model: row.model,
    version: row.version,
    alias: row.alias,
    championVersion: row.champion_version ?? undefined,
    state: row.state,
    gates: parseJson<readonly string[]>(row.gates),
    testReference: row.test_reference ?? undefined,
    label: row.label,
    jobId: row.job_id,
    verdict: row.verdict ?? undefined,
    result: parseJson<EvaluationResult>(row.result),
    decisions: parseJson<readonly GateDecision[]>(row.decisions) ?? [],
    error: row.error_code === null ? undefined : { code: row.error_code, message: row.error_message ?? '' },
    createdMs: row.created_ms,
    endedMs: row.ended_ms ?? undefined,
  };
}

export type NewEvaluation = Pick<
  Evaluation,
  | 'id'
  | 'project'
  | 'promotionId'
  | 'model'
  | 'version'
  | 'alias'
  | 'championVersion'
  | 'gates'
  | 'testReference'
  | 'label'
  | 'jobId'
>;

export async function insertEvaluation(unit: Unit, evaluation: NewEvaluation): Promise<void> {
  await unit
    .query<EvaluationTables>()
    .insertInto('evaluations')
    .values({
      id: evaluation.id,
      project: evaluation.project,
      promotion_id: evaluation.promotionId,
      model: evaluation.model,
      version: evaluation.version,
      alias: evaluation.alias,
      champion_version: evaluation.championVersion ?? null,
      state: 'pending',
      gates: JSON.stringify(evaluation.gates),
      test_reference: evaluation.testReference ?? null,
      label: evaluation.label,
      job_id: evaluation.jobId,
      verdict: null,
      result: null,
      decisions: null,
      error_code: null,
      error_message: null,
      created_ms: unit.nowMs,
      ended_ms: null,
    })
    .execute();
}

/** Ends a pending evaluation; false when it has ended before. */
export async function endEvaluation(
  unit: Unit,
  id: string,
  end: {
    readonly state: 'decided' | 'failed';
    readonly verdict: string;
    readonly result?: EvaluationResult;
    readonly decisions: readonly GateDecision[];
    readonly error?: { readonly code: string; readonly message: string };
  },
): Promise<boolean> {
  const updated = await unit
    .query<EvaluationTables>()
    .updateTable('evaluations')
    .set({
      state: end.state,
      verdict: end.verdict,
      result: end.result === undefined ? null : JSON.stringify(end.result),
      decisions: JSON.stringify(end.decisions),
      error_code: end.error?.code ?? null,
      error_message: end.error?.message ?? null,
      ended_ms: unit.nowMs,
    })
    .where('evaluations.id', '=', id)
    .where('evaluations.state', '=', 'pending')
    .executeTakeFirst();
  return Number(updated.numUpdatedRows) === 1;
}

export async function findEvaluation(reader: Reader, id: string): Promise<Evaluation | undefined> {
  const row = await reader
    .query<EvaluationTables>()
    .selectFrom('evaluations')
    .select(columns)
    .where('evaluations.id', '=', id)
    .executeTakeFirst();
  return row && rowToEvaluation(row);
}

/** The newest of a promotion. */
export async function findLatestEvaluation(
  reader: Reader,
  project: string,
  promotionId: string,
): Promise<Evaluation | undefined> {
  const row = await reader
    .query<EvaluationTables>()
    .selectFrom('evaluations')
    .select(columns)
    .where('evaluations.project', '=', project)
    .where('evaluations.promotion_id', '=', promotionId)
    .orderBy('evaluations.id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row && rowToEvaluation(row);
}

export async function listEvaluations(
  reader: Reader,
  filter: { readonly project: string; readonly model?: string; readonly beforeId?: string; readonly limit: number },
): Promise<readonly Evaluation[]> {
  let query = reader
    .query<EvaluationTables>()
    .selectFrom('evaluations')
    .select(columns)
    .where('evaluations.project', '=', filter.project);
  if (filter.model !== undefined) query = query.where('evaluations.model', '=', filter.model);
  if (filter.beforeId !== undefined) query = query.where('evaluations.id', '<', filter.beforeId);
  return (await query.orderBy('evaluations.id', 'desc').limit(filter.limit).execute()).map(rowToEvaluation);
}
