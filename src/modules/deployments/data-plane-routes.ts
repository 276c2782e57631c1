import type { FastifyInstance } from 'fastify';
import { Compile } from 'typebox/compile';
import { ReplicaReport } from '#contracts/replica-report';
import { type RequestContext, registerRawRoute } from '#platform/http';
import { lazily } from '#platform/lazily';
import { readUntil } from '#platform/read-until';
import type { DeploymentsDeps } from './deployments-deps.ts';
import { deploymentsErrors } from './deployments-errors.ts';
import type { DeploymentsApi } from './deployments-service.ts';
import { findPool } from './pool-store.ts';
import { ensurePool } from './publication.ts';
import type { ReportService } from './report-service.ts';
import { isServedFile } from './revision-store.ts';

const maxWaitSeconds = 60;
/** A report of a pool with many endpoints: 1,000 revisions are half a megabyte. */
const maxReportBytes = 16 * 1024 * 1024;
const reportShape = lazily(() => Compile(ReplicaReport));

/** The control plane's side of the contract with data planes: contracts/serving.ts, but for the spool, which `predictions` takes. */
export function registerDataPlaneRoutes(
  app: FastifyInstance,
  deps: Pick<DeploymentsDeps, 'database' | 'events' | 'blobs' | 'auth'> & {
    readonly deployments: Pick<DeploymentsApi, 'spec'>;
    readonly reports: ReportService;
  },
): void {
  const { database, events, blobs, deployments, reports } = deps;

  registerRawRoute(app, {
    id: 'data-plane.spec',
    method: 'GET',
    path: '/data-plane/pools/:pool/spec',
    permission: 'replica',
    handle: async (request, reply, context) => {
      const { pool } = request.params as { readonly pool: string };
      checkPool(context, pool);
      const { wait } = request.query as { readonly wait?: string };
      const waitSeconds = Math.min(maxWaitSeconds, Math.max(0, Number(wait ?? 0) || 0));
      if ((await findPool(database.read, pool)) === undefined)
        // A data plane may come before the first deployment: it gets an empty spec and waits with it.
        await database.write(context.write, (unit) => ensurePool(unit, { pool, auth: deps.auth }));
      const current = await readUntil({
        events,
        read: async () => {
          const found = await findPool(database.read, pool);
          if (found === undefined) throw deploymentsErrors.POOL_NOT_FOUND(pool);
          return `"${found.epoch}.${found.generation}"`;
        },
        isOver: (etag) => etag !== request.headers['if-none-match'],
        concerns: (event) => event.type === 'deployment.spec.published' && event.data.pool === pool,
        waitMs: waitSeconds * 1000,
        signal: context.signal,
      });
      if (current === request.headers['if-none-match']) return await reply.status(304).header('etag', current).send();
      const spec = await deployments.spec(database.read, pool);
      return await reply.header('etag', `"${spec.epoch}.${spec.generation}"`).send(spec);
    },
  });

  registerRawRoute(app, {
    id: 'data-plane.file',
    method: 'GET',
    path: '/data-plane/files/:digest',
    permission: 'replica',
    handle: async (request, reply, context) => {
      const { digest } = request.params as { readonly digest: string };
      const served = await isServedFile(database.read, context.principal.scope?.pool, digest);
      const stored = served ? await blobs.stat(digest) : undefined;
      if (stored === undefined) throw deploymentsErrors.POOL_FILE_NOT_FOUND(digest);
      return await reply
        .type('application/octet-stream')
        .header('content-length', stored.sizeBytes)
        .send(await blobs.openRead(digest));
    },
  });

  registerRawRoute(app, {
    id: 'data-plane.report',
    method: 'POST',
    path: '/data-plane/replicas/:replica/report',
    permission: 'replica',
    bodyLimitBytes: maxReportBytes,
    handle: async (request, reply, context) => {
      const { replica } = request.params as { readonly replica: string };
      const report = parseReport(request.body, replica);
      checkPool(context, report.pool);
      await database.write(context.write, (unit) => reports.take(unit, report));
      return await reply.status(204).send();
    },
  });
}

function parseReport(body: unknown, replica: string): ReplicaReport {
  if (!reportShape().Check(body)) {
    const [first] = reportShape().Errors(body);
    throw deploymentsErrors.REPLICA_REPORT_INVALID(
      first === undefined ? 'its form is another' : `${first.instancePath || '/'} ${first.message}`,
    );
  }
  if (body.replica !== replica)
    throw deploymentsErrors.REPLICA_REPORT_INVALID(`it is of replica "${body.replica}", sent to "${replica}"`);
  return body;
}

/** A data plane's token is limited to one pool. */
function checkPool({ principal }: RequestContext, pool: string): void {
  const own = principal.scope?.pool;
  if (own !== undefined && own !== pool) throw deploymentsErrors.POOL_FORBIDDEN(own, pool);
}
