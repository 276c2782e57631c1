import type { CheckResult, Column, DatasetSpec, IngestionState } from '#contracts/datasets';
import type { Reader, Unit } from '#platform/database';
import { inList, parseJson } from '#platform/sql';
import type { Dataset, DatasetPart, Ingestion, SourceFile, VersionHead } from './dataset-types.ts';
import type { DatasetsTables } from './datasets-tables.ts';

type Row<T extends keyof DatasetsTables> = DatasetsTables[T];

const datasetColumns = [
  'datasets.project',
  'datasets.name',
  'datasets.spec',
  'datasets.current_version',
  'datasets.updated_ms',
] as const;
const versionColumns = [
  'dataset_versions.project',
  'dataset_versions.name',
  'dataset_versions.version',
  'dataset_versions.rows',
  'dataset_versions.parts',
  'dataset_versions.size_bytes',
  'dataset_versions.columns',
  'dataset_versions.time_column',
  'dataset_versions.time_min_ms',
  'dataset_versions.time_max_ms',
  'dataset_versions.producer',
  'dataset_versions.profile_sha256',
  'dataset_versions.created_ms',
] as const;
const ingestionColumns = [
  'dataset_ingestions.id',
  'dataset_ingestions.project',
  'dataset_ingestions.name',
  'dataset_ingestions.state',
  'dataset_ingestions.files',
  'dataset_ingestions.job_id',
  'dataset_ingestions.version',
  'dataset_ingestions.checks',
  'dataset_ingestions.error_code',
  'dataset_ingestions.error_message',
  'dataset_ingestions.created_ms',
  'dataset_ingestions.ended_ms',
] as const;

function rowToDataset(row: Row<'datasets'>): Dataset {
  return {
    project: row.project,
    name: row.name,
    spec: parseJson<DatasetSpec>(row.spec),
    currentVersion: row.current_version,
  };
}

function rowToVersion(row: Row<'dataset_versions'>): VersionHead {
  return {
    project: row.project,
    dataset: row.name,
    version: row.version,
    rows: row.rows ?? undefined,
    partCount: row.parts,
    sizeBytes: row.size_bytes,
    columns: parseJson<readonly Column[]>(row.columns),
    time: row.time_column ?? undefined,
    timeMinMs: row.time_min_ms ?? undefined,
    timeMaxMs: row.time_max_ms ?? undefined,
    producer: row.producer ?? undefined,
    profileSha256: row.profile_sha256 ?? undefined,
    createdMs: row.created_ms,
  };
}

function rowToIngestion(row: Row<'dataset_ingestions'>): Ingestion {
  return {
    id: row.id,
    project: row.project,
    dataset: row.name,
    state: row.state,
    files: parseJson<readonly SourceFile[]>(row.files),
    jobId: row.job_id ?? undefined,
    version: row.version ?? undefined,
    checks: parseJson<readonly CheckResult[]>(row.checks) ?? [],
    error: row.error_code === null ? undefined : { code: row.error_code, message: row.error_message ?? '' },
    createdMs: row.created_ms,
    endedMs: row.ended_ms ?? undefined,
  };
}

export async function listDatasets(reader: Reader, project: string): Promise<readonly Dataset[]> {
  const rows = await reader
    .query<DatasetsTables>()
    .selectFrom('datasets')
    .select(datasetColumns)
    .where('datasets.project', '=', project)
    .orderBy('datasets.name')
    .execute();
  return rows.map(rowToDataset);
}

/** One page of datasets with the heads of their current versions and whether something is being landed. */
export async function listDatasetsPage(
  reader: Reader,
  project: string,
  page: { readonly after: string; readonly limit: number },
): Promise<
  readonly { readonly dataset: Dataset; readonly current: VersionHead | undefined; readonly ingesting: boolean }[]
> {
  const rows = await reader
    .query<DatasetsTables>()
    .selectFrom('datasets')
    .select(datasetColumns)
    .where('datasets.project', '=', project)
    .where('datasets.name', '>', page.after)
    .orderBy('datasets.name')
    .limit(page.limit)
    .execute();
  const names = rows.map(({ name }) => name);
  const heads = await reader
    .query<DatasetsTables>()
    .selectFrom('dataset_versions')
    .innerJoin('datasets', (join) =>
      join
        .onRef('datasets.project', '=', 'dataset_versions.project')
        .onRef('datasets.name', '=', 'dataset_versions.name')
        .onRef('datasets.current_version', '=', 'dataset_versions.version'),
    )
    .select(versionColumns)
    .where('dataset_versions.project', '=', project)
    .where(inList(reader, 'dataset_versions.name', names))
    .execute();
  const open = await reader
    .query<DatasetsTables>()
    .selectFrom('dataset_ingestions')
    .select('dataset_ingestions.name')
    .distinct()
    .where('dataset_ingestions.project', '=', project)
    .where(inList(reader, 'dataset_ingestions.name', names))
    .where(inList(reader, 'dataset_ingestions.state', ['queued', 'running']))
    .execute();
  const currents = new Map(heads.map((row) => [row.name, rowToVersion(row)]));
  const ingesting = new Set(open.map(({ name }) => name));
  return rows.map((row) => ({
    dataset: rowToDataset(row),
    current: currents.get(row.name),
    ingesting: ingesting.has(row.name),
  }));
}

export async function findDataset(reader: Reader, project: string, name: string): Promise<Dataset | undefined> {
  const row = await reader
    .query<DatasetsTables>()
    .selectFrom('datasets')
    .select(datasetColumns)
    .where('datasets.project', '=', project)
    .where('datasets.name', '=', name)
    .executeTakeFirst();
  return row && rowToDataset(row);
}

/** Makes the dataset or changes what is declared of it; what it holds stays. */
export async function upsertDataset(
  unit: Unit,
  project: string,
  name: string,
  spec: DatasetSpec | undefined,
): Promise<void> {
  const text = spec === undefined ? null : JSON.stringify(spec);
  await unit
    .query<DatasetsTables>()
    .insertInto('datasets')
    .values({ project, name, spec: text, current_version: 0, updated_ms: unit.nowMs })
    .onConflict((conflict) => conflict.columns(['project', 'name']).doUpdateSet({ spec: text, updated_ms: unit.nowMs }))
    .execute();
}

export async function insertVersion(unit: Unit, version: VersionHead): Promise<void> {
  await unit
    .query<DatasetsTables>()
    .insertInto('dataset_versions')
    .values({
      project: version.project,
      name: version.dataset,
      version: version.version,
      rows: version.rows ?? null,
      parts: version.partCount,
      size_bytes: version.sizeBytes,
      columns: JSON.stringify(version.columns),
      time_column: version.time ?? null,
      time_min_ms: version.timeMinMs ?? null,
      time_max_ms: version.timeMaxMs ?? null,
      producer: version.producer ?? null,
      profile_sha256: null,
      created_ms: unit.nowMs,
    })
    .execute();
  await unit
    .query<DatasetsTables>()
    .updateTable('datasets')
    .set({ current_version: version.version, updated_ms: unit.nowMs })
    .where('datasets.project', '=', version.project)
    .where('datasets.name', '=', version.dataset)
    .execute();
}

const rowsAtOnce = 200;

export async function insertParts(
  unit: Unit,
  into: {
    readonly project: string;
    readonly name: string;
    readonly setVersion: number;
    readonly firstVersion: number;
    readonly from: number;
  },
  parts: readonly DatasetPart[],
): Promise<void> {
  for (let at = 0; at < parts.length; at += rowsAtOnce)
    await unit
      .query<DatasetsTables>()
      .insertInto('dataset_parts')
      .values(
        parts.slice(at, at + rowsAtOnce).map((part, index) => ({
          project: into.project,
          name: into.name,
          set_version: into.setVersion,
          position: into.from + at + index,
          first_version: into.firstVersion,
          sha256: part.sha256,
          size_bytes: part.sizeBytes,
          rows: part.rows,
          time_min_ms: part.timeMinMs ?? null,
          time_max_ms: part.timeMaxMs ?? null,
          source: part.source,
          source_sha256: part.sourceSha256,
          created_ms: part.createdMs,
        })),
      )
      .execute();
}

export async function findVersion(
  reader: Reader,
  project: string,
  name: string,
  version: number,
): Promise<VersionHead | undefined> {
  const row = await reader
    .query<DatasetsTables>()
    .selectFrom('dataset_versions')
    .select(versionColumns)
    .where('dataset_versions.project', '=', project)
    .where('dataset_versions.name', '=', name)
    .where('dataset_versions.version', '=', version)
    .executeTakeFirst();
  return row && rowToVersion(row);
}

export async function listVersions(
  reader: Reader,
  project: string,
  name: string,
  page: { readonly before?: number; readonly limit: number },
): Promise<readonly VersionHead[]> {
  let query = reader
    .query<DatasetsTables>()
    .selectFrom('dataset_versions')
    .select(versionColumns)
    .where('dataset_versions.project', '=', project)
    .where('dataset_versions.name', '=', name);
  if (page.before !== undefined) query = query.where('dataset_versions.version', '<', page.before);
  return (await query.orderBy('dataset_versions.version', 'desc').limit(page.limit).execute()).map(rowToVersion);
}

export async function listParts(
  reader: Reader,
  project: string,
  name: string,
  version: number,
): Promise<readonly DatasetPart[]> {
  const rows = await reader
    .query<DatasetsTables>()
    .selectFrom('dataset_parts')
    .select([
      'dataset_parts.sha256',
      'dataset_parts.size_bytes',
      'dataset_parts.rows',
      'dataset_parts.time_min_ms',
      'dataset_parts.time_max_ms',
      'dataset_parts.source',
      'dataset_parts.source_sha256',
      'dataset_parts.created_ms',
    ])
    .where('dataset_parts.project', '=', project)
    .where('dataset_parts.name', '=', name)
    .where('dataset_parts.set_version', 'in', [0, version])
    .where('dataset_parts.first_version', '<=', version)
    .orderBy('dataset_parts.set_version')
    .orderBy('dataset_parts.position')
    .execute();
  return rows.map((row) => ({
    sha256: row.sha256,
    sizeBytes: row.size_bytes,
    rows: row.rows,
    timeMinMs: row.time_min_ms ?? undefined,
    timeMaxMs: row.time_max_ms ?? undefined,
    source: row.source,
    sourceSha256: row.source_sha256,
    createdMs: row.created_ms,
  }));
}

/** What reading a step's output told. */
export async function putDescription(
  unit: Unit,
  project: string,
  name: string,
  version: number,
  description: { readonly rows: number; readonly columns: readonly Column[] },
): Promise<void> {
  await unit
    .query<DatasetsTables>()
    .updateTable('dataset_versions')
    .set({ rows: description.rows, columns: JSON.stringify(description.columns) })
    .where('dataset_versions.project', '=', project)
    .where('dataset_versions.name', '=', name)
    .where('dataset_versions.version', '=', version)
    .execute();
}

export async function putProfile(
  unit: Unit,
  project: string,
  name: string,
  version: number,
  sha256: string,
): Promise<void> {
  await unit
    .query<DatasetsTables>()
    .updateTable('dataset_versions')
    .set({ profile_sha256: sha256 })
    .where('dataset_versions.project', '=', project)
    .where('dataset_versions.name', '=', name)
    .where('dataset_versions.version', '=', version)
    .execute();
}

export async function insertIngestion(
  unit: Unit,
  ingestion: Pick<Ingestion, 'id' | 'project' | 'dataset' | 'files'>,
): Promise<void> {
  await unit
    .query<DatasetsTables>()
    .insertInto('dataset_ingestions')
    .values({
      id: ingestion.id,
      project: ingestion.project,
      name: ingestion.dataset,
      state: 'queued',
      files: JSON.stringify(ingestion.files),
      job_id: null,
      version: null,
      checks: null,
      error_code: null,
      error_message: null,
      created_ms: unit.nowMs,
      ended_ms: null,
    })
    .execute();
}

/** A transition; false when the ingestion was not in the state that it leaves. */
export async function moveIngestion(
  unit: Unit,
  id: string,
  from: IngestionState,
  change: {
    readonly state: IngestionState;
    readonly jobId?: string;
    readonly version?: number;
    readonly checks?: readonly CheckResult[];
    readonly error?: { readonly code: string; readonly message: string };
  },
): Promise<boolean> {
  const over = change.state !== 'queued' && change.state !== 'running';
  const result = await unit
    .query<DatasetsTables>()
    .updateTable('dataset_ingestions')
    .set({
      state: change.state,
      ...(change.jobId !== undefined && { job_id: change.jobId }),
      ...(change.version !== undefined && { version: change.version }),
      ...(change.checks !== undefined && { checks: JSON.stringify(change.checks) }),
      ...(change.error !== undefined && { error_code: change.error.code, error_message: change.error.message }),
      ...(over && { ended_ms: unit.nowMs }),
    })
    .where('dataset_ingestions.id', '=', id)
    .where('dataset_ingestions.state', '=', from)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

export async function findIngestion(reader: Reader, id: string): Promise<Ingestion | undefined> {
  const row = await reader
    .query<DatasetsTables>()
    .selectFrom('dataset_ingestions')
    .select(ingestionColumns)
    .where('dataset_ingestions.id', '=', id)
    .executeTakeFirst();
  return row && rowToIngestion(row);
}

export async function listIngestions(
  reader: Reader,
  project: string,
  name: string,
  page: { readonly before?: string; readonly limit: number },
): Promise<readonly Ingestion[]> {
  let query = reader
    .query<DatasetsTables>()
    .selectFrom('dataset_ingestions')
    .select(ingestionColumns)
    .where('dataset_ingestions.project', '=', project)
    .where('dataset_ingestions.name', '=', name);
  if (page.before !== undefined) query = query.where('dataset_ingestions.id', '<', page.before);
  return (await query.orderBy('dataset_ingestions.id', 'desc').limit(page.limit).execute()).map(rowToIngestion);
}

/** Ingestions of a dataset that have not ended, oldest first. */
export async function listOpenIngestions(reader: Reader, project: string, name: string): Promise<readonly Ingestion[]> {
  const rows = await reader
    .query<DatasetsTables>()
    .selectFrom('dataset_ingestions')
    .select(ingestionColumns)
    .where('dataset_ingestions.project', '=', project)
    .where('dataset_ingestions.name', '=', name)
    .where(inList(reader, 'dataset_ingestions.state', ['queued', 'running']))
    .orderBy('dataset_ingestions.id')
    .execute();
  return rows.map(rowToIngestion);
}
