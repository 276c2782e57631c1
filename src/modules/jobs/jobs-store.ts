import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import type { Job, JobEnd, JobResult, Json, NewJob } from './job-types.ts';
import type { JobRow, JobsTables } from './jobs-tables.ts';

const defaultCpu = 1;
const defaultMemoryMb = 512;

const jobColumns = [
  'jobs.id',
  'jobs.project',
  'jobs.owner',
  'jobs.tag',
  'jobs.data',
  'jobs.work',
  'jobs.kind',
  'jobs.state',
  'jobs.attempt',
  'jobs.fence',
  'jobs.lease_until_ms',
  'jobs.cancel_requested',
  'jobs.run_after_ms',
  'jobs.cpu',
  'jobs.memory_mb',
  'jobs.timeout_ms',
  'jobs.retries',
  'jobs.token_id',
  'jobs.result',
  'jobs.error_code',
  'jobs.error_message',
  'jobs.created_ms',
  'jobs.started_ms',
  'jobs.ended_ms',
  'jobs.cause',
  'jobs.cause_depth',
] as const;

function rowToJob(row: JobRow): Job {
  return {
    id: row.id,
    project: row.project,
    owner: row.owner,
    tag: row.tag,
    data: row.data === null ? null : (JSON.parse(row.data) as Json),
    work: JSON.parse(row.work) as Job['work'],
    state: row.state,
    attempt: row.attempt,
    fence: row.fence,
    cancelRequested: row.cancel_requested === 1,
    cpu: row.cpu,
    memoryMb: row.memory_mb,
    timeoutMs: row.timeout_ms ?? undefined,
    retries: row.retries === null ? undefined : (JSON.parse(row.retries) as NonNullable<Job['retries']>),
    tokenId: row.token_id ?? undefined,
    ...rowToEnd(row),
    createdMs: row.created_ms,
    startedMs: row.started_ms ?? undefined,
    endedMs: row.ended_ms ?? undefined,
    origin: { cause: row.cause ?? undefined, causeDepth: row.cause_depth ?? undefined },
  };
}

function rowToEnd(row: Pick<JobRow, 'result' | 'error_code' | 'error_message'>): Pick<Job, 'result' | 'error'> {
  return {
    result: row.result === null ? undefined : (JSON.parse(row.result) as JobResult),
    error:
      row.error_code === null || row.error_message === null
        ? undefined
        : { code: row.error_code, message: row.error_message },
  };
}

/** Rows a statement: SQLite and PostgreSQL both bound the number of parameters. */
const rowsAtOnce = 200;

export async function insertJobs(
  unit: Unit,
  jobs: readonly { readonly id: string; readonly job: NewJob }[],
): Promise<void> {
  for (let at = 0; at < jobs.length; at += rowsAtOnce)
    await unit
      .query<JobsTables>()
      .insertInto('jobs')
      .values(jobs.slice(at, at + rowsAtOnce).map(({ id, job }) => queuedRow(unit, id, job)))
      .execute();
}

function queuedRow(unit: Unit, id: string, job: NewJob): JobRow {
  return {
    id,
    project: job.project,
    owner: job.owner,
    tag: job.tag,
    data: job.data === undefined ? null : JSON.stringify(job.data),
    work: JSON.stringify(job.work),
    kind: job.work.kind,
    state: 'queued',
    attempt: 0,
    fence: 0,
    lease_until_ms: null,
    cancel_requested: 0,
    run_after_ms: unit.nowMs,
    cpu: job.cpu ?? defaultCpu,
    memory_mb: job.memoryMb ?? defaultMemoryMb,
    timeout_ms: job.timeoutMs ?? null,
    retries: job.retries === undefined ? null : JSON.stringify(job.retries),
    token_id: null,
    result: null,
    error_code: null,
    error_message: null,
    created_ms: unit.nowMs,
    started_ms: null,
    ended_ms: null,
    cause: unit.context.cause ?? null,
    cause_depth: unit.context.causeDepth ?? null,
  };
}

export async function findJob(reader: Reader, id: string): Promise<Job | undefined> {
  const row = await reader
    .query<JobsTables>()
    .selectFrom('jobs')
    .select(jobColumns)
    .where('jobs.id', '=', id)
    .executeTakeFirst();
  return row && rowToJob(row);
}

export async function findJobEnd(reader: Reader, id: string): Promise<JobEnd | undefined> {
  const row = await reader
    .query<JobsTables>()
    .selectFrom('jobs')
    .select(['jobs.id', 'jobs.owner', 'jobs.tag', 'jobs.state', 'jobs.result', 'jobs.error_code', 'jobs.error_message'])
    .where('jobs.id', '=', id)
    .executeTakeFirst();
  return row && { id: row.id, owner: row.owner, tag: row.tag, state: row.state, ...rowToEnd(row) };
}

/** Jobs of a kind that may start now, oldest first. */
export async function listClaimable(
  reader: Reader,
  kind: JobRow['kind'],
  nowMs: number,
  limit: number,
): Promise<readonly Job[]> {
  const rows = await reader
    .query<JobsTables>()
    .selectFrom('jobs')
    .select(jobColumns)
    .where('jobs.state', '=', 'queued')
    .where('jobs.kind', '=', kind)
    .where('jobs.run_after_ms', '<=', nowMs)
    .orderBy('jobs.run_after_ms')
    .orderBy('jobs.id')
    .limit(limit)
    .execute();
  return rows.map(rowToJob);
}

/** When the next job comes due that may not start yet; undefined when none does. */
export async function findNextStartMs(reader: Reader, nowMs: number): Promise<number | undefined> {
  const row = await reader
    .query<JobsTables>()
    .selectFrom('jobs')
    .select('jobs.run_after_ms')
    .where('jobs.state', '=', 'queued')
    .where('jobs.run_after_ms', '>', nowMs)
    .orderBy('jobs.run_after_ms')
    .orderBy('jobs.id')
    .limit(1)
    .executeTakeFirst();
  return row?.run_after_ms;
}

export async function listRunning(reader: Reader): Promise<readonly Job[]> {
  const rows = await reader
    .query<JobsTables>()
    .selectFrom('jobs')
    .select(jobColumns)
    .where('jobs.state', '=', 'running')
    .orderBy('jobs.id')
    .execute();
  return rows.map(rowToJob);
}

/** Takes a job for one attempt; false when another has it. The new fence is the old one plus one. */
export async function claimJob(unit: Unit, job: Job, leaseMs: number, tokenId: string | undefined): Promise<boolean> {
  const result = await unit
    .query<JobsTables>()
    .updateTable('jobs')
    .set({
      state: 'running',
      attempt: job.attempt + 1,
      fence: job.fence + 1,
      lease_until_ms: unit.nowMs + leaseMs,
      started_ms: unit.nowMs,
      token_id: tokenId ?? null,
    })
    .where('jobs.id', '=', job.id)
    .where('jobs.state', '=', 'queued')
    .where('jobs.fence', '=', job.fence)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

/** Of attempts that go on; one that another has taken over since stays the other's. */
export async function renewLeases(
  unit: Unit,
  attempts: readonly Pick<Job, 'id' | 'fence'>[],
  leaseMs: number,
): Promise<void> {
  for (let from = 0; from < attempts.length; from += mostCompared)
    await renewSome(unit, attempts.slice(from, from + mostCompared), leaseMs);
}

/** Terms of one condition: SQLite takes a thousand. */
const mostCompared = 200;

async function renewSome(unit: Unit, attempts: readonly Pick<Job, 'id' | 'fence'>[], leaseMs: number): Promise<void> {
  await unit
    .query<JobsTables>()
    .updateTable('jobs')
    .set({ lease_until_ms: unit.nowMs + leaseMs })
    .where('jobs.state', '=', 'running')
    .where((eb) =>
      eb.or(attempts.map(({ id, fence }) => eb.and([eb('jobs.id', '=', id), eb('jobs.fence', '=', fence)]))),
    )
    .execute();
}

/** Running jobs whose lease is over: whoever had them is gone. */
export async function listOverdue(reader: Reader, nowMs: number): Promise<readonly Job[]> {
  const rows = await reader
    .query<JobsTables>()
    .selectFrom('jobs')
    .select(jobColumns)
    .where('jobs.state', '=', 'running')
    .where('jobs.lease_until_ms', '<', nowMs)
    .orderBy('jobs.id')
    .execute();
  return rows.map(rowToJob);
}

export async function requestCancel(unit: Unit, id: string): Promise<void> {
  await unit.query<JobsTables>().updateTable('jobs').set({ cancel_requested: 1 }).where('jobs.id', '=', id).execute();
}

/**
 * Puts a job back for another attempt. Guarded by the attempt's fence.
 * @param attempt attempts that count so far
 */
export async function requeueJob(unit: Unit, job: Job, runAfterMs: number, attempt: number): Promise<boolean> {
  const result = await unit
    .query<JobsTables>()
    .updateTable('jobs')
    .set({ state: 'queued', attempt, run_after_ms: runAfterMs, lease_until_ms: null, token_id: null })
    .where('jobs.id', '=', job.id)
    .where('jobs.state', '=', 'running')
    .where('jobs.fence', '=', job.fence)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

/** Ends a job. Guarded by state and fence: a late attempt changes nothing. */
export async function endJob(
  unit: Unit,
  job: Job,
  end: {
    readonly state: 'succeeded' | 'failed' | 'cancelled';
    readonly result?: JobResult;
    readonly error?: { readonly code: string; readonly message: string };
  },
): Promise<boolean> {
  const result = await unit
    .query<JobsTables>()
    .updateTable('jobs')
    .set({
      state: end.state,
      result: end.result === undefined ? null : JSON.stringify(end.result),
      error_code: end.error?.code ?? null,
      error_message: end.error?.message ?? null,
      lease_until_ms: null,
      ended_ms: unit.nowMs,
    })
    .where('jobs.id', '=', job.id)
    .where('jobs.state', '=', job.state)
    .where('jobs.fence', '=', job.fence)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

export async function listJobs(
  reader: Reader,
  filter: {
    readonly project: string;
    readonly state?: JobRow['state'];
    readonly owner?: string;
    readonly beforeId?: string;
    readonly limit: number;
  },
): Promise<readonly Job[]> {
  let query = reader
    .query<JobsTables>()
    .selectFrom('jobs')
    .select(jobColumns)
    .where('jobs.project', '=', filter.project);
  if (filter.state !== undefined) query = query.where('jobs.state', '=', filter.state);
  if (filter.owner !== undefined) query = query.where('jobs.owner', '=', filter.owner);
  if (filter.beforeId !== undefined) query = query.where('jobs.id', '<', filter.beforeId);
  const rows = await query.orderBy('jobs.id', 'desc').limit(filter.limit).execute();
  return rows.map(rowToJob);
}

/** Which of these jobs have not ended. */
export async function listOpenIds(reader: Reader, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await reader
    .query<JobsTables>()
    .selectFrom('jobs')
    .select('jobs.id')
    .where(inList(reader, 'jobs.id', ids))
    .where(inList(reader, 'jobs.state', ['queued', 'running']))
    .execute();
  return new Set(rows.map(({ id }) => id));
}

export async function countOpenJobs(reader: Reader, project: string): Promise<number> {
  const row = await reader
    .query<JobsTables>()
    .selectFrom('jobs')
    .select(({ fn }) => fn.countAll<number>().as('open'))
    .where('jobs.project', '=', project)
    .where(inList(reader, 'jobs.state', ['queued', 'running']))
    .executeTakeFirstOrThrow();
  return row.open;
}
