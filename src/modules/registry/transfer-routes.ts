import type { FastifyInstance } from 'fastify';
import { exportModels, importModel, type ModelRecord, type VersionRecord } from '#contracts/transfer';
import type { Database } from '#platform/database';
import { registerOperation } from '#platform/http';
import type { ImportService } from './import-service.ts';
import { listModels, listVersions } from './registry-read-model.ts';
import type { ModelVersion, RegisteredModel } from './registry-types.ts';

const modelsAtOnce = 20;
const versionsAtOnce = 500;

/** The bulk API of what is registered. */
export function registerTransferRoutes(app: FastifyInstance, database: Database, imports: ImportService): void {
  registerOperation(app, importModel, async ({ body, context: { project, write } }, answer) =>
    answer(200, await database.write(write, (unit) => imports.importModel(unit, project, body))),
  );

  registerOperation(app, exportModels, async ({ query, context: { project } }, answer) => {
    const { items, next } = await listModels(database.read, project, { limit: modelsAtOnce, cursor: query.cursor });
    const records: ModelRecord[] = [];
    for (const model of items) records.push(...(await toRecords(model)));
    return answer(200, { items: records, ...(next !== undefined && { next }) });
  });

  /** One record a model; more, with further versions each, for one of very many. */
  async function toRecords(model: RegisteredModel): Promise<ModelRecord[]> {
    const records: ModelRecord[] = [];
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await listVersions(database.read, model.project, model.name, { limit: versionsAtOnce, cursor });
      cursor = page?.next;
      records.push({
        name: model.name,
        description: model.description,
        createdMs: model.createdMs,
        updatedMs: model.updatedMs,
        tags: [...model.tags],
        aliases: [...model.aliases],
        versions: page?.items.map(toVersionRecord) ?? [],
      });
    }
    return records;
  }
}

const toVersionRecord = (version: ModelVersion): VersionRecord => ({
  version: version.version,
  source: version.source,
  storageLocation: version.storageLocation,
  ...(version.trackingRunId !== undefined && { trackingRunId: version.trackingRunId }),
  ...(version.loggedModelId !== undefined && { loggedModelId: version.loggedModelId }),
  runLink: version.runLink,
  description: version.description,
  stage: version.stage,
  user: version.createdBy,
  createdMs: version.createdMs,
  updatedMs: version.updatedMs,
  tags: [...version.tags],
  files: [...version.files],
});
