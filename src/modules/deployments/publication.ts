import type { Unit } from '#platform/database';
import { defaultPool, type Pool } from './deployment-types.ts';
import type { DeploymentsDeps } from './deployments-deps.ts';
import { findPool, insertPool, listPoolNames, updatePool } from './pool-store.ts';

const emitPublished = (unit: Unit, { pool, epoch, generation }: Pick<Pool, 'pool' | 'epoch' | 'generation'>) =>
  unit.emit({
    type: 'deployment.spec.published',
    project: 'default',
    subject: `pool:${pool}`,
    data: { pool, epoch, generation },
  });

export async function ensurePool(
  unit: Unit,
  { pool = defaultPool, auth }: { readonly pool?: string } & Pick<DeploymentsDeps, 'auth'>,
): Promise<Pool> {
  const found = await findPool(unit, pool);
  if (found !== undefined) return found;
  await insertPool(unit, { pool, epoch: unit.newId(), auth });
  return await getPool(unit, pool);
}

async function getPool(unit: Unit, pool: string): Promise<Pool> {
  const found = await findPool(unit, pool);
  if (found === undefined) throw new Error(`pool ${pool} was made before and is not there`);
  return found;
}

/** Tells the replicas of a pool, after the commit, that their spec has changed. `flush` has them deliver everything. */
export async function publish(unit: Unit, name: string, options: { readonly flush?: boolean } = {}): Promise<Pool> {
  const before = await getPool(unit, name);
  const generation = before.generation + 1;
  const flush = options.flush === true ? before.flush + 1 : before.flush;
  await updatePool(unit, name, { generation, ...(options.flush === true && { flush }) });
  await emitPublished(unit, { ...before, generation });
  return { ...before, generation, flush };
}

/**
 * Who may call follows from how the server was started, and a spec is read again only under another generation: the
 * pools that were last told under the other mode are told anew.
 */
export async function publishAuth(unit: Unit, { auth }: Pick<DeploymentsDeps, 'auth'>): Promise<void> {
  for (const name of await listPoolNames(unit)) {
    const { auth: told } = await getPool(unit, name);
    if (told === auth) continue;
    const { generation } = await publish(unit, name);
    await updatePool(unit, name, { generation, auth });
  }
}

/**
 * A replica that has seen more than this database ever published proves that the database was restored from a copy: its
 * generations are numbered anew under another epoch, so that no replica takes an older spec for a newer one. A flush
 * that the replica has done before must not stand for one that is asked for now.
 */
export async function beginEpoch(unit: Unit, name: string, flushed: number): Promise<void> {
  const { flush } = await getPool(unit, name);
  const epoch = unit.newId();
  await updatePool(unit, name, { epoch, generation: 1, flush: Math.max(flush, flushed) });
  await emitPublished(unit, { pool: name, epoch, generation: 1 });
}
