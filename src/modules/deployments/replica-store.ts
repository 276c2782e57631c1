import type { ReplicaReport } from '#contracts/replica-report';
import type { Reader, Unit } from '#platform/database';
import { inList, parseJson } from '#platform/sql';
import type { Counters } from './counters.ts';
import type { Replica, ReportedEndpoint } from './deployment-types.ts';
import type { CountersRow, DeploymentsTables, ReplicaRow } from './deployments-tables.ts';

function rowToReplica(row: ReplicaRow): Replica {
  return {
    pool: row.pool,
    replica: row.replica,
    boot: row.boot,
    sequence: row.sequence,
    state: row.state,
    observed:
      row.epoch === null || row.generation === null ? undefined : { epoch: row.epoch, generation: row.generation },
    flushed: row.flushed,
    endpoints: parseJson<readonly ReportedEndpoint[]>(row.endpoints),
    spool: parseJson<ReplicaReport['spool']>(row.spool),
    programVersion: row.program_version,
    reportedMs: row.reported_ms,
  };
}

export async function listReplicas(reader: Reader, pool: string): Promise<readonly Replica[]> {
  const rows = await reader
    .query<DeploymentsTables>()
    .selectFrom('deployment_replicas')
    .select([
      'deployment_replicas.pool',
      'deployment_replicas.replica',
      'deployment_replicas.boot',
      'deployment_replicas.sequence',
      'deployment_replicas.state',
      'deployment_replicas.epoch',
      'deployment_replicas.generation',
      'deployment_replicas.flushed',
      'deployment_replicas.endpoints',
      'deployment_replicas.spool',
      'deployment_replicas.program_version',
      'deployment_replicas.reported_ms',
    ])
    .where('deployment_replicas.pool', '=', pool)
    .orderBy('deployment_replicas.replica')
    .execute();
  return rows.map(rowToReplica);
}

export async function putReplica(unit: Unit, replica: Replica): Promise<void> {
  const {
    pool,
    replica: name,
    ...values
  } = {
    pool: replica.pool,
    replica: replica.replica,
    boot: replica.boot,
    sequence: replica.sequence,
    state: replica.state,
    epoch: replica.observed?.epoch ?? null,
    generation: replica.observed?.generation ?? null,
    flushed: replica.flushed,
    endpoints: JSON.stringify(replica.endpoints),
    spool: JSON.stringify(replica.spool),
    program_version: replica.programVersion,
    reported_ms: replica.reportedMs,
  };
  await unit
    .query<DeploymentsTables>()
    .insertInto('deployment_replicas')
    .values({ pool, replica: name, ...values })
    .onConflict((conflict) => conflict.columns(['pool', 'replica']).doUpdateSet(values))
    .execute();
}

const counterColumns = [
  'deployment_counters.revision',
  'deployment_counters.role',
  'deployment_counters.pool',
  'deployment_counters.replica',
  'deployment_counters.boot',
  'deployment_counters.requests',
  'deployment_counters.row_count',
  'deployment_counters.errors',
  'deployment_counters.latency_counts',
  'deployment_counters.latency_sum_us',
  'deployment_counters.max_event_ms',
] as const;

export interface StoredCounters extends Counters {
  readonly revision: string;
  readonly role: CountersRow['role'];
}

function rowToCounters(row: CountersRow): StoredCounters {
  return {
    revision: row.revision,
    role: row.role,
    requests: row.requests,
    rows: row.row_count,
    errors: parseJson<Readonly<Record<string, number>>>(row.errors),
    latencyCounts: parseJson<readonly number[]>(row.latency_counts),
    latencySumUs: row.latency_sum_us,
    maxEventTimeMs: row.max_event_ms ?? undefined,
  };
}

/** What one start of a replica has reported so far. */
export async function listBootCounters(
  reader: Reader,
  key: { readonly pool: string; readonly replica: string; readonly boot: string },
): Promise<readonly StoredCounters[]> {
  const rows = await reader
    .query<DeploymentsTables>()
    .selectFrom('deployment_counters')
    .select(counterColumns)
    .where('deployment_counters.pool', '=', key.pool)
    .where('deployment_counters.replica', '=', key.replica)
    .where('deployment_counters.boot', '=', key.boot)
    .orderBy('deployment_counters.revision')
    .execute();
  return rows.map(rowToCounters);
}

/** Of all replicas and all their starts, one element each. */
export async function listRevisionCounters(
  reader: Reader,
  revisions: readonly string[],
): Promise<readonly StoredCounters[]> {
  const rows = await reader
    .query<DeploymentsTables>()
    .selectFrom('deployment_counters')
    .select(counterColumns)
    .where(inList(reader, 'deployment_counters.revision', revisions))
    .orderBy('deployment_counters.revision')
    .execute();
  return rows.map(rowToCounters);
}

export async function putCounters(
  unit: Unit,
  key: { readonly pool: string; readonly replica: string; readonly boot: string },
  all: readonly StoredCounters[],
): Promise<void> {
  if (all.length === 0) return;
  await unit
    .query<DeploymentsTables>()
    .insertInto('deployment_counters')
    .values(
      all.map((one) => ({
        ...key,
        revision: one.revision,
        role: one.role,
        requests: one.requests,
        row_count: one.rows,
        errors: JSON.stringify(one.errors),
        latency_counts: JSON.stringify(one.latencyCounts),
        latency_sum_us: one.latencySumUs,
        max_event_ms: one.maxEventTimeMs ?? null,
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(['revision', 'role', 'pool', 'replica', 'boot']).doUpdateSet((eb) => ({
        requests: eb.ref('excluded.requests'),
        row_count: eb.ref('excluded.row_count'),
        errors: eb.ref('excluded.errors'),
        latency_counts: eb.ref('excluded.latency_counts'),
        latency_sum_us: eb.ref('excluded.latency_sum_us'),
        max_event_ms: eb.ref('excluded.max_event_ms'),
      })),
    )
    .execute();
}

/** The greatest event time that any revision of an endpoint has answered. */
export async function findGreatestEventMs(
  reader: Reader,
  project: string,
  deployment: string,
): Promise<number | undefined> {
  const row = await reader
    .query<DeploymentsTables>()
    .selectFrom('deployment_counters')
    .innerJoin('deployment_revisions', 'deployment_revisions.revision', 'deployment_counters.revision')
    .select((eb) => eb.fn.max<number | null>('deployment_counters.max_event_ms').as('greatest'))
    .where('deployment_revisions.project', '=', project)
    .where('deployment_revisions.deployment', '=', deployment)
    .where('deployment_counters.role', '=', 'primary')
    .executeTakeFirst();
  return row?.greatest ?? undefined;
}
