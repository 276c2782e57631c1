import type { PipelineSpec, RunState, StepState } from '#contracts/pipelines';
import type { TreeFile } from '#contracts/tree';
import type { Reader, Unit } from '#platform/database';
import { fromBit, inList, parseJson, toBit } from '#platform/sql';
import type { KeyParts } from './cache-key.ts';
import { itemIndex } from './item-names.ts';
import type { PipelinesTables } from './pipelines-tables.ts';
import type { Outputs, Run, RunResult, Step, StepPlan } from './run-types.ts';

type Row<T extends keyof PipelinesTables> = PipelinesTables[T];

const runColumns = [
  'pipeline_runs.id',
  'pipeline_runs.project',
  'pipeline_runs.pipeline',
  'pipeline_runs.state',
  'pipeline_runs.trigger_by',
  'pipeline_runs.params',
  'pipeline_runs.spec',
  'pipeline_runs.code',
  'pipeline_runs.use_cache',
  'pipeline_runs.inputs',
  'pipeline_runs.snapshot',
  'pipeline_runs.tracking_run_id',
  'pipeline_runs.cause_depth',
  'pipeline_runs.requested_by',
  'pipeline_runs.result',
  'pipeline_runs.error_code',
  'pipeline_runs.error_message',
  'pipeline_runs.created_ms',
  'pipeline_runs.ended_ms',
  'pipeline_runs.cancelling',
] as const;

const stepColumns = [
  'pipeline_steps.run_id',
  'pipeline_steps.step',
  'pipeline_steps.position',
  'pipeline_steps.kind',
  'pipeline_steps.state',
  'pipeline_steps.needs',
  'pipeline_steps.plan',
  'pipeline_steps.cache_key',
  'pipeline_steps.key_parts',
  'pipeline_steps.why',
  'pipeline_steps.job_id',
  'pipeline_steps.token',
  'pipeline_steps.tracking_run_id',
  'pipeline_steps.outputs',
  'pipeline_steps.error_code',
  'pipeline_steps.error_message',
  'pipeline_steps.started_ms',
  'pipeline_steps.ended_ms',
  'pipeline_steps.deadline_ms',
] as const;

function failureOf(row: { readonly error_code: string | null; readonly error_message: string | null }) {
  return row.error_code === null ? undefined : { code: row.error_code, message: row.error_message ?? '' };
}

function rowToRun(row: Row<'pipeline_runs'>): Run {
  return {
    id: row.id,
    project: row.project,
    pipeline: row.pipeline,
    state: row.state,
    cancelling: fromBit(row.cancelling),
    trigger: row.trigger_by,
    params: parseJson(row.params),
    spec: parseJson(row.spec),
    code: parseJson(row.code),
    useCache: fromBit(row.use_cache),
    inputs: parseJson(row.inputs),
    snapshot: row.snapshot,
    trackingRunId: row.tracking_run_id ?? undefined,
    causeDepth: row.cause_depth ?? undefined,
    requestedBy: row.requested_by ?? row.trigger_by,
    result: parseJson<RunResult>(row.result),
    error: failureOf(row),
    createdMs: row.created_ms,
    endedMs: row.ended_ms ?? undefined,
  };
}

/** The large texts are parsed when they are looked at. */
function rowToStep(row: Row<'pipeline_steps'>): Step {
  let plan: StepPlan | undefined;
  return {
    name: row.step,
    position: row.position,
    kind: row.kind,
    state: row.state,
    needs: parseJson(row.needs),
    get plan() {
      plan ??= parseJson<StepPlan>(row.plan);
      return plan;
    },
    key: row.cache_key ?? undefined,
    get keyParts() {
      return parseJson<KeyParts>(row.key_parts);
    },
    why: row.why ?? undefined,
    jobId: row.job_id ?? undefined,
    token: row.token ?? undefined,
    trackingRunId: row.tracking_run_id ?? undefined,
    outputs: parseJson<Outputs>(row.outputs),
    error: failureOf(row),
    startedMs: row.started_ms ?? undefined,
    endedMs: row.ended_ms ?? undefined,
    deadlineMs: row.deadline_ms ?? undefined,
  };
}

function stepToRow(runId: string, step: Step): Row<'pipeline_steps'> {
  return {
    run_id: runId,
    step: step.name,
    position: step.position,
    kind: step.kind,
    needs: JSON.stringify(step.needs),
    plan: JSON.stringify(step.plan),
    ...progressToRow(step),
    ...keyToRow(step),
  };
}

/** What each transition changes. */
function progressToRow(step: Step) {
  return {
    state: step.state,
    token: step.token ?? null,
    outputs: JSON.stringify(step.outputs),
    error_code: step.error?.code ?? null,
    error_message: step.error?.message ?? null,
    started_ms: step.startedMs ?? null,
    ended_ms: step.endedMs ?? null,
    deadline_ms: step.state === 'waiting' ? (step.deadlineMs ?? null) : null,
  };
}

/** What is settled when a step starts. */
function keyToRow(step: Step) {
  return {
    cache_key: step.key ?? null,
    key_parts: step.keyParts === undefined ? null : JSON.stringify(step.keyParts),
    why: step.why ?? null,
    job_id: step.jobId ?? null,
    tracking_run_id: step.trackingRunId ?? null,
  };
}

export interface StoredPipeline {
  readonly name: string;
  readonly spec: PipelineSpec;
  readonly generation: number;
  readonly updatedMs: number;
}

export async function listPipelines(reader: Reader, project: string): Promise<readonly StoredPipeline[]> {
  const rows = await reader
    .query<PipelinesTables>()
    .selectFrom('pipelines')
    .select(['pipelines.name', 'pipelines.spec', 'pipelines.generation', 'pipelines.updated_ms'])
    .where('pipelines.project', '=', project)
    .orderBy('pipelines.name')
    .execute();
  return rows.map((row) => ({
    name: row.name,
    spec: parseJson<PipelineSpec>(row.spec),
    generation: row.generation,
    updatedMs: row.updated_ms,
  }));
}

export async function upsertPipeline(unit: Unit, project: string, name: string, spec: PipelineSpec): Promise<void> {
  const text = JSON.stringify(spec);
  await unit
    .query<PipelinesTables>()
    .insertInto('pipelines')
    .values({ project, name, spec: text, generation: 1, updated_ms: unit.nowMs })
    .onConflict((conflict) =>
      conflict.columns(['project', 'name']).doUpdateSet(({ eb }) => ({
        spec: text,
        generation: eb('pipelines.generation', '+', 1),
        updated_ms: unit.nowMs,
      })),
    )
    .execute();
}

export async function deletePipeline(unit: Unit, project: string, name: string): Promise<void> {
  await unit
    .query<PipelinesTables>()
    .deleteFrom('pipelines')
    .where('pipelines.project', '=', project)
    .where('pipelines.name', '=', name)
    .execute();
}

export async function putCode(
  unit: Unit,
  project: string,
  snapshot: string,
  files: readonly TreeFile[],
): Promise<void> {
  const text = JSON.stringify(files);
  await unit
    .query<PipelinesTables>()
    .insertInto('pipeline_code')
    .values({ project, snapshot, files: text })
    .onConflict((conflict) => conflict.column('project').doUpdateSet({ snapshot, files: text }))
    .execute();
}

export async function findCode(
  reader: Reader,
  project: string,
): Promise<{ readonly snapshot: string; readonly files: readonly TreeFile[] } | undefined> {
  const row = await reader
    .query<PipelinesTables>()
    .selectFrom('pipeline_code')
    .select(['pipeline_code.snapshot', 'pipeline_code.files'])
    .where('pipeline_code.project', '=', project)
    .executeTakeFirst();
  return row && { snapshot: row.snapshot, files: parseJson<readonly TreeFile[]>(row.files) };
}

export async function insertRun(unit: Unit, run: Run): Promise<void> {
  await unit
    .query<PipelinesTables>()
    .insertInto('pipeline_runs')
    .values({
      id: run.id,
      project: run.project,
      pipeline: run.pipeline,
      state: run.state,
      trigger_by: run.trigger,
      params: JSON.stringify(run.params),
      spec: JSON.stringify(run.spec),
      code: JSON.stringify(run.code),
      use_cache: toBit(run.useCache),
      inputs: JSON.stringify(run.inputs),
      snapshot: run.snapshot,
      tracking_run_id: run.trackingRunId ?? null,
      cause_depth: run.causeDepth ?? null,
      requested_by: run.requestedBy,
      result: null,
      error_code: null,
      error_message: null,
      created_ms: run.createdMs,
      ended_ms: null,
      cancelling: 0,
    })
    .execute();
}

/** Rows a statement: SQLite and PostgreSQL both bound the number of parameters. */
const rowsAtOnce = 200;

export async function insertSteps(unit: Unit, runId: string, steps: readonly Step[]): Promise<void> {
  for (let at = 0; at < steps.length; at += rowsAtOnce)
    await unit
      .query<PipelinesTables>()
      .insertInto('pipeline_steps')
      .values(steps.slice(at, at + rowsAtOnce).map((step) => stepToRow(runId, step)))
      .execute();
}

/** Writes a step's transition; false when it was not in the state that it was read in. */
export async function updateStep(unit: Unit, runId: string, before: Step, after: Step): Promise<boolean> {
  const result = await unit
    .query<PipelinesTables>()
    .updateTable('pipeline_steps')
    .set({ ...progressToRow(after), ...(before.state === 'pending' && keyToRow(after)) })
    .where('pipeline_steps.run_id', '=', runId)
    .where('pipeline_steps.step', '=', before.name)
    .where('pipeline_steps.state', '=', before.state)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

export async function updateRun(
  unit: Unit,
  runId: string,
  from: RunState,
  change: {
    readonly state: RunState;
    readonly cancelling?: boolean;
    readonly error?: Run['error'];
    readonly endedMs?: number;
  },
): Promise<boolean> {
  const result = await unit
    .query<PipelinesTables>()
    .updateTable('pipeline_runs')
    .set({
      state: change.state,
      cancelling: toBit(change.cancelling ?? false),
      error_code: change.error?.code ?? null,
      error_message: change.error?.message ?? null,
      ended_ms: change.endedMs ?? null,
    })
    .where('pipeline_runs.id', '=', runId)
    .where('pipeline_runs.state', '=', from)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

export async function putRunResult(unit: Unit, runId: string, result: RunResult): Promise<void> {
  await unit
    .query<PipelinesTables>()
    .updateTable('pipeline_runs')
    .set({ result: JSON.stringify(result) })
    .where('pipeline_runs.id', '=', runId)
    .execute();
}

export async function findRun(reader: Reader, id: string): Promise<Run | undefined> {
  const row = await reader
    .query<PipelinesTables>()
    .selectFrom('pipeline_runs')
    .select(runColumns)
    .where('pipeline_runs.id', '=', id)
    .executeTakeFirst();
  return row && rowToRun(row);
}

export async function listRuns(
  reader: Reader,
  filter: {
    readonly project: string;
    readonly pipeline?: string;
    readonly state?: RunState;
    readonly beforeId?: string;
    readonly limit: number;
  },
): Promise<readonly Run[]> {
  let query = reader
    .query<PipelinesTables>()
    .selectFrom('pipeline_runs')
    .select(runColumns)
    .where('pipeline_runs.project', '=', filter.project);
  if (filter.pipeline !== undefined) query = query.where('pipeline_runs.pipeline', '=', filter.pipeline);
  if (filter.state !== undefined) query = query.where('pipeline_runs.state', '=', filter.state);
  if (filter.beforeId !== undefined) query = query.where('pipeline_runs.id', '<', filter.beforeId);
  const rows = await query.orderBy('pipeline_runs.id', 'desc').limit(filter.limit).execute();
  return rows.map(rowToRun);
}

export async function listSteps(reader: Reader, runId: string): Promise<readonly Step[]> {
  const rows = await reader
    .query<PipelinesTables>()
    .selectFrom('pipeline_steps')
    .select(stepColumns)
    .where('pipeline_steps.run_id', '=', runId)
    .orderBy('pipeline_steps.position')
    .execute();
  const steps = rows.map(rowToStep);
  // items stand at the place of their step
  return steps.toSorted((a, b) => a.position - b.position || itemIndex(a.name) - itemIndex(b.name));
}

/** Some steps of a run with everything that is known of them. */
export async function loadSteps(reader: Reader, runId: string, names: readonly string[]): Promise<readonly Step[]> {
  const rows = await reader
    .query<PipelinesTables>()
    .selectFrom('pipeline_steps')
    .select(stepColumns)
    .where('pipeline_steps.run_id', '=', runId)
    .where(inList(reader, 'pipeline_steps.step', names))
    .execute();
  return rows.map(rowToStep);
}

/** What moves of a run while it goes on: its own state, and its steps' by name. Undefined when there is no such run. */
export async function findProgress(
  reader: Reader,
  runId: string,
): Promise<
  | { readonly state: RunState; readonly cancelling: boolean; readonly states: ReadonlyMap<string, StepState> }
  | undefined
> {
  const run = await reader
    .query<PipelinesTables>()
    .selectFrom('pipeline_runs')
    .select(['pipeline_runs.state', 'pipeline_runs.cancelling'])
    .where('pipeline_runs.id', '=', runId)
    .executeTakeFirst();
  if (run === undefined) return undefined;
  const rows = await reader
    .query<PipelinesTables>()
    .selectFrom('pipeline_steps')
    .select(['pipeline_steps.step', 'pipeline_steps.state'])
    .where('pipeline_steps.run_id', '=', runId)
    .execute();
  return {
    state: run.state,
    cancelling: fromBit(run.cancelling),
    states: new Map(rows.map(({ step, state }) => [step, state])),
  };
}

/** What each step of a run needs, in the order of the document. */
export async function listNeeds(
  reader: Reader,
  runId: string,
): Promise<readonly { readonly name: string; readonly needs: readonly string[] }[]> {
  const rows = await reader
    .query<PipelinesTables>()
    .selectFrom('pipeline_steps')
    .select(['pipeline_steps.step', 'pipeline_steps.needs'])
    .where('pipeline_steps.run_id', '=', runId)
    .orderBy('pipeline_steps.position')
    .execute();
  return rows.map((row) => ({ name: row.step, needs: parseJson<readonly string[]>(row.needs) }));
}

export async function findStepByToken(
  reader: Reader,
  token: string,
): Promise<{ readonly runId: string; readonly step: string; readonly state: StepState } | undefined> {
  const row = await reader
    .query<PipelinesTables>()
    .selectFrom('pipeline_steps')
    .select(['pipeline_steps.run_id', 'pipeline_steps.step', 'pipeline_steps.state'])
    .where('pipeline_steps.token', '=', token)
    .executeTakeFirst();
  return row && { runId: row.run_id, step: row.step, state: row.state };
}
