import { hostname } from 'node:os';
import { Client, type ClientConfig } from 'pg';
import { isAppError } from '../errors.ts';
import { databaseErrors } from './database-errors.ts';

/** 'tidemill' in ASCII, as a signed 64-bit number: one lock for each PostgreSQL database. */
const lockKey = '8388346167744359532';

/** As the other control plane is shown it; PostgreSQL keeps 63 bytes. */
const ownName = (): string => `tidemill process ${process.pid} on ${hostname()}`.slice(0, 63);

export interface PostgresLock {
  /** Throws when the lock was lost and could not be had back. */
  check(): void;
  release(): Promise<void>;
}

/** A server notices within moments that a killed process is gone: a restart waits for that before it is refused. */
const takeAttempts = 5;
const takeWaitMs = 200;

/**
 * Two control planes need more than this database, so a second one is refused: an advisory lock is held on a
 * connection of its own for as long as the process lives. When that connection breaks, the lock is free; it is taken
 * again as soon as the server answers, and until then no unit begins.
 */
export async function acquirePostgresLock(config: ClientConfig): Promise<PostgresLock> {
  let held = false;
  let released = false;
  let client: Client | undefined;
  let retry: NodeJS.Timeout | undefined;

  async function take(): Promise<void> {
    const next = new Client({ ...config, application_name: ownName(), keepAlive: true });
    next.on('error', () => undefined); // 'end' follows
    next.once('end', () => {
      if (client !== next) return;
      held = false;
      client = undefined;
      retakeLater();
    });
    await next.connect();
    const { rows } = await next.query<{ taken: boolean; holder: string | null; name: string }>(
      `select pg_try_advisory_lock(${lockKey}) as taken, current_database() as name,
        (select coalesce(nullif(a.application_name, ''), 'connection ' || l.pid::text)
            || to_char(a.backend_start at time zone 'UTC', '", since "YYYY-MM-DD"T"HH24:MI:SS"Z"')
          from pg_locks l join pg_database d on d.oid = l.database join pg_stat_activity a on a.pid = l.pid
          where l.locktype = 'advisory' and l.granted and d.datname = current_database()
          and (l.classid::bigint << 32) + l.objid::bigint = ${lockKey} limit 1) as holder`,
    );
    const row = rows[0];
    if (row?.taken !== true || released) {
      await next.end();
      if (!released) throw databaseErrors.DATABASE_LOCKED(row?.name ?? 'in PostgreSQL', row?.holder ?? 'unknown');
      return;
    }
    client = next;
    held = true;
  }

  function retakeLater(): void {
    if (released) return;
    retry = setTimeout(() => void take().catch(retakeLater), 500);
    retry.unref();
  }

  for (let attempt = 1; !held; attempt++) {
    try {
      await take();
    } catch (error) {
      if (!isAppError(error, 'DATABASE_LOCKED') || attempt === takeAttempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, takeWaitMs));
    }
  }
  return {
    check() {
      if (!held) throw databaseErrors.DATABASE_LOCK_LOST();
    },
    async release() {
      released = true;
      clearTimeout(retry);
      const last = client;
      client = undefined;
      await last?.end();
    },
  };
}
