import type { SpecEndpoint } from './deployment-spec.ts';

/** Whether a file of a model lies in the model's folder, whoever wrote its path. */
export const staysInside = (path: string): boolean =>
  !path.startsWith('/') && !path.includes('\\') && path.split('/').every((part) => part !== '..' && part !== '');

/** What the schema cannot say of one endpoint; undefined when it is sound. */
export function findEndpointProblem(endpoint: SpecEndpoint): string | undefined {
  const known = new Set(endpoint.revisions.map(({ id }) => id));
  if (known.size !== endpoint.revisions.length) return 'two revisions have the same id';
  const named = [...endpoint.traffic, ...endpoint.shadows].find(({ revision }) => !known.has(revision));
  if (named !== undefined) return `revision "${named.revision}" is named but not described`;
  const sum = endpoint.traffic.reduce((total, { basisPoints }) => total + basisPoints, 0);
  if (endpoint.traffic.length > 0 && sum !== 10_000) return `traffic sums to ${sum} basis points, not to 10,000`;
  for (const { id, files } of endpoint.revisions)
    for (const { path } of files)
      if (!staysInside(path)) return `revision "${id}": file path "${path}" leaves the model's folder`;
  return undefined;
}
