import { DuckDBInstance } from '@duckdb/node-api';

/**
 * Where tasks get their databases from: each is empty, in memory, of one task alone, which closes it. Opening one takes most of
 * the time of a small task, so the next can be opened while nothing runs; it waits without a connection, holding 3 MB.
 */
export interface Databases {
  take(): Promise<DuckDBInstance>;
  /** Opens the next one ahead, unless there is one. */
  prepare(): void;
  close(): Promise<void>;
}

export function createDatabases({ threads }: { readonly threads: number }): Databases {
  let spare: Promise<DuckDBInstance | undefined> | undefined;

  // Limits that differ from task to task are set by the session, before it locks the configuration.
  const open = () =>
    DuckDBInstance.create(':memory:', {
      threads: String(threads),
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    });
  const takeSpare = () => {
    const taken = spare;
    spare = undefined;
    return taken;
  };

  return {
    take: async () => (await takeSpare()) ?? open(),
    prepare() {
      spare ??= open().catch(() => undefined); // the task that needs one tries again, and tells
    },
    async close() {
      (await takeSpare())?.closeSync();
    },
  };
}
