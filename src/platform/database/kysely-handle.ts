import { type DatabaseConnection, DefaultQueryExecutor, type Dialect, type Driver, Kysely } from 'kysely';
import { databaseErrors } from './database-errors.ts';

type UseConnection = <T>(use: (connection: DatabaseConnection) => Promise<T>) => Promise<T>;

/** Kysely asks its driver only for transactions and lifetimes, and neither is Kysely's business here. */
const refusingDriver: Driver = {
  init: async () => undefined,
  acquireConnection: () => Promise.reject(databaseErrors.UNIT_NESTED_TRANSACTION()),
  beginTransaction: () => Promise.reject(databaseErrors.UNIT_NESTED_TRANSACTION()),
  commitTransaction: () => Promise.reject(databaseErrors.UNIT_NESTED_TRANSACTION()),
  rollbackTransaction: async () => undefined,
  releaseConnection: async () => undefined,
  destroy: async () => undefined,
};

/**
 * Makes Kysely handles that keep the query builder and leave connections to us. A handle is cheap (no driver, no pool
 * of its own), so that each unit gets one that ends with it.
 */
export function createKyselyFactory(dialect: Dialect): (provideConnection: UseConnection) => Kysely<unknown> {
  const compiler = dialect.createQueryCompiler();
  const adapter = dialect.createAdapter();
  return (provideConnection) =>
    new Kysely<unknown>({
      config: { dialect },
      dialect,
      driver: refusingDriver,
      executor: new DefaultQueryExecutor(compiler, adapter, { provideConnection }),
    });
}
