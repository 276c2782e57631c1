import type { Reader } from '#platform/database';
import { parseJson } from '#platform/sql';
import type { PipelinesTables } from './pipelines-tables.ts';
import type { RunResult } from './run-types.ts';

/** What a run has made so far. */
export async function findRunResult(reader: Reader, runId: string): Promise<RunResult | undefined> {
  const row = await reader
    .query<PipelinesTables>()
    .selectFrom('pipeline_runs')
    .select(['pipeline_runs.result'])
    .where('pipeline_runs.id', '=', runId)
    .executeTakeFirst();
  return row && parseJson<RunResult | undefined>(row.result);
}

export interface DueStep {
  readonly runId: string;
  readonly step: string;
}

/** Steps whose deadline has come, the earliest first. */
export async function listDueSteps(reader: Reader, nowMs: number, limit: number): Promise<readonly DueStep[]> {
  const rows = await reader
    .query<PipelinesTables>()
    .selectFrom('pipeline_steps')
    .select(['pipeline_steps.run_id', 'pipeline_steps.step'])
    .where('pipeline_steps.deadline_ms', '<=', nowMs)
    .orderBy('pipeline_steps.deadline_ms')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ runId: row.run_id, step: row.step }));
}

/** When the next deadline comes. */
export async function findNextDeadlineMs(reader: Reader): Promise<number | undefined> {
  const row = await reader
    .query<PipelinesTables>()
    .selectFrom('pipeline_steps')
    .select(['pipeline_steps.deadline_ms'])
    .where('pipeline_steps.deadline_ms', 'is not', null)
    .orderBy('pipeline_steps.deadline_ms')
    .limit(1)
    .executeTakeFirst();
  return row?.deadline_ms ?? undefined;
}
