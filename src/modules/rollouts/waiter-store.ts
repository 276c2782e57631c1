import type { Unit } from '#platform/database';
import type { RolloutsTables } from './rollouts-tables.ts';

/** A step of a pipeline waits for the end of a rollout. */
export async function insertWaiter(unit: Unit, rollout: string, token: string): Promise<void> {
  await unit
    .query<RolloutsTables>()
    .insertInto('rollout_waiters')
    .values({ token, rollout, created_ms: unit.nowMs })
    .onConflict((conflict) => conflict.column('token').doNothing())
    .execute();
}

/** Takes away, and answers, who waited for a rollout. */
export async function takeWaiters(unit: Unit, rollout: string): Promise<readonly string[]> {
  const rows = await unit
    .query<RolloutsTables>()
    .deleteFrom('rollout_waiters')
    .where('rollout_waiters.rollout', '=', rollout)
    .returning(['rollout_waiters.token'])
    .execute();
  return rows.map(({ token }) => token);
}
