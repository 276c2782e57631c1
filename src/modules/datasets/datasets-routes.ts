import type { FastifyInstance } from 'fastify';
import {
  compareDatasetFiles,
  type DatasetVersionView,
  type DatasetView,
  getDataset,
  getDatasetProfile,
  getDatasetVersion,
  getIngestion,
  type IngestionView,
  landDataset,
  listDatasets,
  listDatasetVersions,
  listIngestions,
  previewDataset,
} from '#contracts/datasets';
import { defaultPageLimit } from '#contracts/page';
import { toRfc3339 } from '#contracts/rfc3339';
import type { Reader } from '#platform/database';
import { nearestName } from '#platform/errors';
import { registerOperation } from '#platform/http';
import { readUntil } from '#platform/read-until';
import { decodeCursor, encodeCursor } from '#platform/sql';
import type { Dataset, Ingestion, VersionHead } from './dataset-types.ts';
import type { DatasetsDeps } from './datasets-deps.ts';
import { datasetsErrors } from './datasets-errors.ts';
import type { DatasetsService } from './datasets-service.ts';
import {
  findDataset,
  findIngestion,
  findVersion,
  listDatasetsPage,
  listOpenIngestions,
  listDatasets as listStored,
  listIngestions as listStoredIngestions,
  listVersions,
} from './datasets-store.ts';
import { compareFiles } from './landing-rules.ts';

export function registerDatasetRoutes(
  app: FastifyInstance,
  deps: DatasetsDeps & { readonly datasets: DatasetsService },
): void {
  const { database, datasets } = deps;

  registerOperation(app, listDatasets, async ({ query, context }, answer) => {
    const after = query.cursor === undefined ? '' : String(decodeCursor(query.cursor)[0]);
    const limit = query.limit ?? defaultPageLimit;
    const found = await listDatasetsPage(database.read, context.project, { after, limit: limit + 1 });
    const last = found.at(limit - 1);
    return answer(200, {
      items: found.slice(0, limit).map(toView),
      ...(found.length > limit && last !== undefined && { next: encodeCursor([last.dataset.name]) }),
    });
  });

  registerOperation(app, getDataset, async ({ params, context }, answer) =>
    answer(200, await readView(database.read, await getOwn(database.read, context.project, params.name))),
  );

  registerOperation(app, getDatasetVersion, async ({ params, context }, answer) => {
    await getOwn(database.read, context.project, params.name);
    const number = /^\d{1,15}$/.test(params.version) ? Number(params.version) : undefined;
    const found = number && (await findVersion(database.read, context.project, params.name, number));
    if (!found) throw datasetsErrors.DATASET_VERSION_NOT_FOUND(params.name, params.version);
    return answer(200, toVersionView(found));
  });

  registerOperation(app, listDatasetVersions, async ({ params, query, context }, answer) => {
    await getOwn(database.read, context.project, params.name);
    const limit = query.limit ?? defaultPageLimit;
    const before = query.cursor === undefined ? undefined : Number(decodeCursor(query.cursor)[0]);
    const found = await listVersions(database.read, context.project, params.name, {
      limit: limit + 1,
      ...(before !== undefined && { before }),
    });
    const last = found.at(limit - 1);
    return answer(200, {
      items: found.slice(0, limit).map(toVersionView),
      ...(found.length > limit && last !== undefined && { next: encodeCursor([last.version]) }),
    });
  });

  registerOperation(app, landDataset, async ({ params, body, context }, answer) => {
    await getOwn(database.read, context.project, params.name);
    const id = await database.write(context.write, (unit) =>
      datasets.land(unit, { ...body, project: context.project, dataset: params.name }),
    );
    if (id !== undefined)
      return answer(202, toIngestionView(await getOwnIngestion(database.read, context.project, id)));
    const { currentVersion } = await getOwn(database.read, context.project, params.name);
    return answer(200, { unchanged: true, ...(currentVersion > 0 && { version: currentVersion }) });
  });

  registerOperation(app, compareDatasetFiles, async ({ params, body, context }, answer) => {
    const landed = await datasets.landedPaths(database.read, await getOwn(database.read, context.project, params.name));
    const { fresh, missing } = compareFiles(landed, body.paths);
    return answer(200, { waiting: [...fresh], missing: [...missing] });
  });

  registerOperation(app, getIngestion, async ({ params, query, context }, answer) => {
    const found = await readUntil({
      events: deps.events,
      read: () => getOwnIngestion(database.read, context.project, params.ingestionId),
      isOver: ({ state }) => state !== 'queued' && state !== 'running',
      concerns: (event) => event.type.startsWith('dataset.') && event.project === context.project,
      waitMs: (query.wait ?? 0) * 1000,
      signal: context.signal,
    });
    return answer(200, toIngestionView(found));
  });

  registerOperation(app, listIngestions, async ({ params, query, context }, answer) => {
    await getOwn(database.read, context.project, params.name);
    const limit = query.limit ?? defaultPageLimit;
    const found = await listStoredIngestions(database.read, context.project, params.name, {
      limit: limit + 1,
      ...(query.cursor !== undefined && { before: String(decodeCursor(query.cursor)[0]) }),
    });
    const last = found.at(limit - 1);
    return answer(200, {
      items: found.slice(0, limit).map(toIngestionView),
      ...(found.length > limit && last !== undefined && { next: encodeCursor([last.id]) }),
    });
  });

  registerOperation(app, getDatasetProfile, async ({ params, query, context }, answer) => {
    const found = await datasets.profile(context.project, params.name, query.version);
    return answer(200, { dataset: params.name, ...found });
  });

  registerOperation(app, previewDataset, async ({ params, query, context }, answer) => {
    const version = await datasets.version(database.read, context.project, params.name, query.version);
    if (version === undefined) throw await datasets.missing(database.read, context.project, params.name, query.version);
    const { rows } = await deps.jobs.runTask('query', {
      views: [{ name: 'rows', paths: version.parts.map(({ sha256 }) => `blob:${sha256}`) }],
      sql: `select * from rows limit ${query.limit ?? 20}`,
      rows: query.limit ?? 20,
    });
    return answer(200, { version: version.version, rows: [...(rows ?? [])] });
  });
}

async function getOwn(reader: Reader, project: string, name: string): Promise<Dataset> {
  const found = await findDataset(reader, project, name);
  if (found !== undefined) return found;
  const names = (await listStored(reader, project)).map((dataset) => dataset.name);
  throw datasetsErrors.DATASET_NOT_FOUND(name, nearestName(name, names));
}

async function getOwnIngestion(reader: Reader, project: string, id: string): Promise<Ingestion> {
  const found = await findIngestion(reader, id);
  if (found?.project !== project) throw datasetsErrors.INGESTION_NOT_FOUND(id);
  return found;
}

async function readView(reader: Reader, dataset: Dataset): Promise<DatasetView> {
  const { project, name, currentVersion } = dataset;
  const current = currentVersion === 0 ? undefined : await findVersion(reader, project, name, currentVersion);
  const open = await listOpenIngestions(reader, project, name);
  return toView({ dataset, current, ingesting: open.length > 0 });
}

function toView(found: {
  readonly dataset: Dataset;
  readonly current: VersionHead | undefined;
  readonly ingesting: boolean;
}): DatasetView {
  const { dataset, current, ingesting } = found;
  return {
    name: dataset.name,
    ...(dataset.spec && { spec: dataset.spec }),
    ...(current && { current: toVersionView(current) }),
    ingesting,
  };
}

function toVersionView(head: VersionHead): DatasetVersionView {
  return {
    dataset: head.dataset,
    version: head.version,
    ...(head.rows !== undefined && { rows: head.rows }),
    parts: head.partCount,
    sizeBytes: head.sizeBytes,
    columns: [...head.columns],
    ...(head.timeMinMs !== undefined && { timeMin: toRfc3339(head.timeMinMs) }),
    ...(head.timeMaxMs !== undefined && { timeMax: toRfc3339(head.timeMaxMs) }),
    ...(head.producer !== undefined && { producer: head.producer }),
    createdAt: toRfc3339(head.createdMs),
  };
}

function toIngestionView(ingestion: Ingestion): IngestionView {
  return {
    id: ingestion.id,
    dataset: ingestion.dataset,
    state: ingestion.state,
    files: ingestion.files.map(({ path }) => path),
    ...(ingestion.version !== undefined && { version: ingestion.version }),
    checks: [...ingestion.checks],
    ...(ingestion.error && { error: ingestion.error }),
    createdAt: toRfc3339(ingestion.createdMs),
    ...(ingestion.endedMs !== undefined && { endedAt: toRfc3339(ingestion.endedMs) }),
  };
}
