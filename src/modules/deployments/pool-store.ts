import type { Reader, Unit } from '#platform/database';
import type { Pool } from './deployment-types.ts';
import type { DeploymentsTables, PoolRow } from './deployments-tables.ts';

function rowToPool(row: PoolRow): Pool {
  return {
    pool: row.pool,
    epoch: row.epoch,
    generation: row.generation,
    flush: row.flush,
    flushAskedMs: row.flush_asked_ms ?? undefined,
    auth: row.auth ?? undefined,
  };
}

export async function findPool(reader: Reader, pool: string): Promise<Pool | undefined> {
  const row = await reader
    .query<DeploymentsTables>()
    .selectFrom('deployment_pools')
    .select([
      'deployment_pools.pool',
      'deployment_pools.epoch',
      'deployment_pools.generation',
      'deployment_pools.flush',
      'deployment_pools.flush_asked_ms',
      'deployment_pools.auth',
      'deployment_pools.updated_ms',
    ])
    .where('deployment_pools.pool', '=', pool)
    .executeTakeFirst();
  return row && rowToPool(row);
}

/** False when there was one already. */
export async function insertPool(
  unit: Unit,
  { pool, epoch, auth }: Pick<Pool, 'pool' | 'epoch' | 'auth'>,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await unit
    .query<DeploymentsTables>()
    .insertInto('deployment_pools')
    .values({ pool, epoch, generation: 1, flush: 0, flush_asked_ms: null, auth: auth ?? null, updated_ms: unit.nowMs })
    .onConflict((conflict) => conflict.column('pool').doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

export async function updatePool(
  unit: Unit,
  pool: string,
  change: {
    readonly epoch?: string;
    readonly generation: number;
    readonly flush?: number;
    readonly auth?: Pool['auth'];
  },
): Promise<void> {
  await unit
    .query<DeploymentsTables>()
    .updateTable('deployment_pools')
    .set({
      generation: change.generation,
      updated_ms: unit.nowMs,
      ...(change.epoch !== undefined && { epoch: change.epoch }),
      ...(change.auth !== undefined && { auth: change.auth }),
      ...(change.flush !== undefined && { flush: change.flush, flush_asked_ms: unit.nowMs }),
    })
    .where('deployment_pools.pool', '=', pool)
    .execute();
}

export async function listPoolNames(reader: Reader): Promise<readonly string[]> {
  const rows = await reader
    .query<DeploymentsTables>()
    .selectFrom('deployment_pools')
    .select('deployment_pools.pool')
    .orderBy('deployment_pools.pool')
    .execute();
  return rows.map(({ pool }) => pool);
}
