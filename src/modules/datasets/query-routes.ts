import type { FastifyInstance } from 'fastify';
import { runQuery } from '#contracts/datasets';
import { workerWork } from '#modules/jobs';
import { AppError } from '#platform/errors';
import { registerOperation } from '#platform/http';
import { readUntil } from '#platform/read-until';
import type { DatasetsDeps } from './datasets-deps.ts';
import type { DatasetsService } from './datasets-service.ts';

const resultFile = 'result.parquet';
const longestWaitMs = 30 * 60_000;

/** SQL over what the project holds: a job like any other, so that it survives a restart of the server. */
export function registerQueryRoutes(
  app: FastifyInstance,
  deps: DatasetsDeps & { readonly datasets: DatasetsService },
): void {
  const { database, jobs } = deps;
  registerOperation(app, runQuery, async ({ body, context }, answer) => {
    const views: { name: string; paths: string[] }[] = [];
    for (const { name, dataset, sha256 } of body.inputs) {
      if (sha256 !== undefined) {
        await deps.artifacts.assertReadable(database.read, context.project, sha256);
        views.push({ name, paths: [`blob:${sha256}`] });
        continue;
      }
      const version = await deps.datasets.version(database.read, context.project, dataset ?? name);
      if (version === undefined) throw await deps.datasets.missing(database.read, context.project, dataset ?? name);
      views.push({ name, paths: version.files.map((file) => `blob:${file.sha256}`) });
    }
    if (body.rows !== undefined) {
      const { rows } = await jobs.runTask('query', { sql: body.sql, views, rows: body.rows }, context.signal);
      return answer(200, { files: [], rows: [...(rows ?? [])] });
    }
    const jobId = await database.write(context.write, (unit) =>
      jobs.submit(unit, {
        project: context.project,
        owner: `project:${context.project}`,
        tag: 'datasets.query',
        work: workerWork('query', {
          sql: body.sql,
          views,
          ...(body.partition === undefined
            ? { outputPath: 'out:result' }
            : { partitions: { by: body.partition.by, name: body.partition.name, folder: 'out:result' } }),
        }),
      }),
    );
    const job = await readUntil({
      events: deps.events,
      read: () => jobs.get(database.read, jobId),
      isOver: ({ state }) => state !== 'queued' && state !== 'running',
      concerns: (event) => event.type === 'job.finished' && event.data.jobId === jobId,
      waitMs: longestWaitMs,
      signal: context.signal,
    });
    if (job.state !== 'succeeded')
      throw new AppError(job.error?.code ?? 'QUERY_FAILED', 'invalid', job.error?.message ?? 'the query was ended');
    const result = job.result?.files['result'];
    const files =
      result === undefined
        ? []
        : (result.tree ?? [{ path: resultFile, sha256: result.sha256, sizeBytes: result.sizeBytes }]).map((file) => ({
            name: file.path,
            sha256: file.sha256,
            sizeBytes: file.sizeBytes,
          }));
    return answer(200, { files });
  });
}
