import type { FastifyInstance } from 'fastify';
import * as transfer from '#contracts/transfer';
import type { Database } from '#platform/database';
import { registerOperation } from '#platform/http';
import { decodeCursor } from '#platform/sql';
import { requireArtifactPath } from './artifact-service.ts';
import { checkImported } from './checked-imports.ts';
import { findAnyExperimentRow } from './experiment-service.ts';
import {
  exportExperiments,
  exportFiles,
  exportHistories,
  exportLoggedModels,
  exportRuns,
} from './export-read-model.ts';
import type { ImportService } from './import-service.ts';
import { findRunLifecycle } from './run-store.ts';
import { trackingErrors } from './tracking-errors.ts';

interface TransferDeps {
  readonly database: Database;
  readonly imports: ImportService;
}

/** The bulk API of what is tracked: each import is one unit. */
export function registerTransferRoutes(app: FastifyInstance, deps: TransferDeps): void {
  registerImports(app, deps);
  registerExports(app, deps);
}

function registerImports(app: FastifyInstance, { database, imports }: TransferDeps): void {
  registerOperation(app, transfer.importExperiments, async ({ body, context: { project, write } }, answer) =>
    answer(200, {
      items: await database.write(write, (unit) => imports.importExperiments(unit, project, body.experiments)),
    }),
  );
  registerOperation(app, transfer.importRuns, async ({ body, context: { project, write } }, answer) =>
    answer(200, await database.write(write, (unit) => imports.importRuns(unit, project, body.runs))),
  );
  registerOperation(app, transfer.importHistories, async ({ body, context: { project, write } }, answer) =>
    answer(200, {
      points: await database.write(write, (unit) => imports.importHistories(unit, project, body.histories)),
    }),
  );
  registerOperation(app, transfer.importLoggedModels, async ({ body, context: { project, write } }, answer) =>
    answer(200, await database.write(write, (unit) => imports.importLoggedModels(unit, project, body.models))),
  );
  registerOperation(app, transfer.importFiles, async ({ body, context: { project, write } }, answer) => {
    await database.write(write, (unit) => imports.importFiles(unit, project, body.files));
    return answer(200, { files: body.files.length });
  });
  registerOperation(app, transfer.markImported, async ({ body, context: { project, write } }, answer) => {
    await database.write(write, (unit) => imports.markImported(unit, project, body.marks));
    return answer(200, { marks: body.marks.length });
  });
  registerOperation(app, transfer.checkImported, async ({ body, context }, answer) =>
    answer(200, { items: await checkImported(database.read, context.project, body.ids, body.count) }),
  );
}

const after = ({ cursor }: { readonly cursor?: string | undefined }) =>
  cursor === undefined ? undefined : decodeCursor(cursor);

function registerExports(app: FastifyInstance, { database }: TransferDeps): void {
  async function keyOf(project: string, experimentId: string): Promise<number> {
    const row = await findAnyExperimentRow(database.read, project, experimentId);
    if (row === undefined) throw trackingErrors.EXPERIMENT_NOT_FOUND(experimentId);
    return row.experiment_key;
  }

  registerOperation(app, transfer.exportExperiments, async ({ query, context }, answer) =>
    answer(200, await exportExperiments(database.read, context.project, after(query))),
  );
  registerOperation(app, transfer.exportRuns, async ({ query, context }, answer) => {
    const key = await keyOf(context.project, query.experimentId);
    return answer(200, await exportRuns(database.read, key, after(query)));
  });
  registerOperation(app, transfer.exportHistories, async ({ query, context }, answer) => {
    if ((await findRunLifecycle(database.read, context.project, query.runId)) === undefined)
      throw trackingErrors.TRACKING_RUN_NOT_FOUND(query.runId);
    return answer(200, await exportHistories(database.read, query.runId, after(query)));
  });
  registerOperation(app, transfer.exportLoggedModels, async ({ query, context }, answer) => {
    const key = await keyOf(context.project, query.experimentId);
    return answer(200, await exportLoggedModels(database.read, key, after(query)));
  });
  registerOperation(app, transfer.exportFiles, async ({ query, context }, answer) => {
    const folder = requireArtifactPath(query.folder);
    return answer(200, await exportFiles(database.read, context.project, folder, after(query)));
  });
}
