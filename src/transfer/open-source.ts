import { existsSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Credentials, createMlflowRest } from './mlflow-rest.ts';
import { createMlrunsSource } from './mlruns-source.ts';
import { createRestSource } from './rest-source.ts';
import type { Source } from './source.ts';
import { openPostgres, openSqlite, type SqlConnection } from './sql-connection.ts';
import { createSqlSource } from './sql-source.ts';
import { TransferError } from './transfer-error.ts';

export interface SourceOptions {
  readonly cwd: string;
  /** The folder behind `mlflow-artifacts:/`, when a database is read and not its server. */
  readonly artifactFolder?: string | undefined;
  /** False: bytes stay, so nothing about them needs to be known. */
  readonly artifacts: boolean;
  readonly workspace?: string | undefined;
  readonly environment: Credentials;
  readonly signal: AbortSignal;
}

/** Whatever MLflow calls a tracking URI: a server, a database, or a folder. */
export async function openSource(address: string, options: SourceOptions): Promise<Source> {
  const { cwd } = options;
  if (/^https?:/i.test(address)) {
    const environment = {
      ...options.environment,
      ...(options.workspace !== undefined && { MLFLOW_WORKSPACE: options.workspace }),
    };
    return createRestSource(createMlflowRest(address, { environment, signal: options.signal }));
  }
  if (/^postgres(?:ql)?(?:\+\w+)?:/.test(address)) return openSql(await openPostgres(address), options);
  if (address.startsWith('sqlite:')) return openSql(await openSqlite(address, cwd), options);
  if (/^(?:mysql|mssql)(?:\+\w+)?:/.test(address))
    throw new TransferError(
      'SOURCE_UNSUPPORTED',
      'invalid',
      `${address.split(':')[0]} is not read directly: start "mlflow server --backend-store-uri …" on it and import from its http address`,
    );
  const path = address.startsWith('file:') ? fileURLToPath(address) : resolve(cwd, address);
  if (!existsSync(path)) throw new TransferError('SOURCE_NOT_FOUND', 'not_found', `there is no ${path}`);
  if (statSync(path).isDirectory()) return createMlrunsSource(path);
  if (await isSqlite(path)) return openSql(await openSqlite(path, cwd), options);
  throw new TransferError(
    'SOURCE_UNSUPPORTED',
    'invalid',
    `${path} is neither a folder of MLflow nor a database of SQLite`,
  );
}

async function openSql(connection: SqlConnection, options: SourceOptions): Promise<Source> {
  const beside = connection.file === undefined ? options.cwd : dirname(connection.file);
  const guesses = [join(beside, 'mlartifacts'), resolve(options.cwd, 'mlartifacts')];
  const artifactFolder =
    options.artifactFolder === undefined ? guesses.find(existsSync) : resolve(options.cwd, options.artifactFolder);
  if (options.artifactFolder !== undefined && !existsSync(artifactFolder ?? ''))
    throw new TransferError('SOURCE_NOT_FOUND', 'not_found', `there is no folder ${artifactFolder}`);
  if (options.artifacts && artifactFolder === undefined && (await hasProxiedRuns(connection))) {
    await connection.close();
    throw new TransferError(
      'ARTIFACTS_UNKNOWN',
      'invalid',
      'runs of this database keep their files behind a server (mlflow-artifacts:/): name its folder with --artifacts <folder> (its --artifacts-destination), import from the server itself, or leave the files where they are with --no-artifacts',
    );
  }
  return await createSqlSource(connection, { workspace: options.workspace, artifactFolder });
}

async function hasProxiedRuns(connection: SqlConnection): Promise<boolean> {
  if (!(await connection.tables()).has('runs')) return false;
  const found = await connection.all("select run_uuid from runs where artifact_uri like 'mlflow-artifacts:%' limit 1");
  return found.length > 0;
}

async function isSqlite(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(15), 0, 15, 0);
    return buffer.toString('latin1') === 'SQLite format 3';
  } finally {
    await file.close();
  }
}
