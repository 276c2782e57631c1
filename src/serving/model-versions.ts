import type { Endpoint, ServingState } from './endpoint.ts';
import type { LiveRevision } from './live-revision.ts';
import { servingErrors } from './serving-errors.ts';

/** What answers now, or why nothing does: ENDPOINT_LOADING, ENDPOINT_FAILED, ENDPOINT_WITHOUT_MODEL. */
export function servingOf({ serving, state, name, error }: Endpoint): ServingState {
  if (serving !== undefined) return serving;
  if (state === 'loading') throw servingErrors.ENDPOINT_LOADING(name);
  if (state === 'failed') throw servingErrors.ENDPOINT_FAILED(name, error ?? 'its model could not be loaded');
  throw servingErrors.ENDPOINT_WITHOUT_MODEL(name);
}

/** By version, else by the revision's id; of two revisions of one version the one with more traffic. */
export function findVersion(serving: ServingState, version: string): LiveRevision | undefined {
  const byTraffic = serving.traffic.toSorted((a, b) => b.basisPoints - a.basisPoints).map(({ target }) => target);
  const candidates = [...byTraffic, ...serving.revisions.values()];
  return candidates.find((revision) => revision.version === version) ?? serving.revisions.get(version);
}

/** The versions that a caller may name, each once. */
export const versionsOf = (serving: ServingState): readonly string[] => [
  ...new Set([...serving.revisions.values()].map(({ version }) => version)),
];

/** The revision behind a version, else the one with the most traffic. VERSION_NOT_FOUND. */
export function revisionOf(endpoint: Endpoint, version: string | undefined): LiveRevision {
  const serving = servingOf(endpoint);
  const found =
    version === undefined
      ? serving.traffic.toSorted((a, b) => b.basisPoints - a.basisPoints)[0]?.target
      : findVersion(serving, version);
  if (found !== undefined) return found;
  throw servingErrors.VERSION_NOT_FOUND(endpoint.name, version ?? '', versionsOf(serving).join(', '));
}
