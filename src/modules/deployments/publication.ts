import type { Unit } from '#platform/database';
import { defaultPool, type Pool } from './deployment-types.ts';
import { findPool, insertPool, updatePool } from './pool-store.ts';

const emitPublished = (unit: Unit, { pool, epoch, generation }: Pick<Pool, 'pool' | 'epoch' | 'generation'>) =>
  unit.emit({
    type: 'deployment.spec.published',
    project: 'default',
    subject: `pool:${pool}`,
    data: { pool, epoch, generation },
  });

export async function ensurePool(unit: Unit, pool: string = defaultPool): Promise<Pool> {
  const found = await findPool(unit, pool);
  if (found !== undefined) return found;
  await insertPool(unit, pool, unit.newId());
  const made = await findPool(unit, pool);
  if (made === undefined) throw new Error(`pool ${pool} was inserted and is not there`);
  return made;
}

/** Tells the replicas of a pool, after the commit, that their spec has changed. `flush` has them deliver everything. */
export async function publish(unit: Unit, name: string, options: { readonly flush?: boolean } = {}): Promise<Pool> {
  const before = await ensurePool(unit, name);
  const generation = before.generation + 1;
  const flush = options.flush === true ? before.flush + 1 : before.flush;
  await updatePool(unit, name, { generation, ...(options.flush === true && { flush }) });
  await emitPublished(unit, { ...before, generation });
  return { ...before, generation, flush };
}

/**
 * A replica that has seen more than this database ever published proves that the database was restored from a copy: its
 * generations are numbered anew under another epoch, so that no replica takes an older spec for a newer one. A flush
 * that the replica has done before must not stand for one that is asked for now.
 */
export async function beginEpoch(unit: Unit, name: string, flushed: number): Promise<void> {
  const { flush } = await ensurePool(unit, name);
  const epoch = unit.newId();
  await updatePool(unit, name, { epoch, generation: 1, flush: Math.max(flush, flushed) });
  await emitPublished(unit, { pool: name, epoch, generation: 1 });
}
