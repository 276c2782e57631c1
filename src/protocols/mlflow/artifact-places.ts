import type { FastifyRequest } from 'fastify';
import { defaultProject } from '#contracts/references';
import { trimSlashes } from '#platform/url-text';
import { requireSoundPath } from './artifact-calls.ts';
import { toProxiedPath } from './artifact-uri.ts';
import type { MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, mlflowErrors } from './mlflow-errors.ts';

/**
 * The address under which this request's client reaches our API, for URLs that it is to call: the host that it named,
 * behind whatever proxy says that it stands in between.
 */
export function apiAddress(request: FastifyRequest, project: string): string {
  const first = (name: string): string | undefined => {
    const value = request.headers[name];
    return (typeof value === 'string' ? value.split(',')[0]?.trim() : undefined) || undefined;
  };
  const scheme = first('x-forwarded-proto') === 'https' ? 'https' : request.protocol;
  const host = request.headers.host ?? 'localhost';
  const above = trimSlashes(first('x-forwarded-prefix') ?? '');
  const prefix = /^(?:\/[\w.~-]+)*$/.test(above) ? above : '';
  return `${scheme}://${host}${prefix}${project === defaultProject ? '' : `/projects/${project}`}/api`;
}

/** The path in the proxy of a file of a run or of a logged model. */
export async function placeOf(
  { database, tracking }: Pick<MlflowDeps, 'database' | 'tracking'>,
  project: string,
  owner: { readonly runId: string | undefined; readonly modelId: string | undefined },
  path: string,
): Promise<string> {
  const { runId, modelId } = owner;
  if ((runId === undefined) === (modelId === undefined))
    throw invalidParameter('Exactly one of run_id and model_id must be provided.');
  const found =
    runId === undefined
      ? await tracking.loggedModel(database.read, project, modelId ?? '')
      : await tracking.runInfo(database.read, project, runId);
  if (found === undefined)
    throw mlflowErrors.MLFLOW_NOT_FOUND(
      runId === undefined ? `Logged model with ID '${modelId}' not found.` : `Run with id=${runId} not found`,
    );
  const root = toProxiedPath(found.artifactUri);
  if (root === undefined)
    throw invalidParameter(`The artifacts at ${found.artifactUri} are not this server's: read and write them there.`);
  return `${root}/${requireSoundPath(path)}`;
}

export const encodePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/');
