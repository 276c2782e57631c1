import type { CallContext } from './call-context.ts';
import type { Endpoint, ServingState } from './endpoint.ts';
import type { InferRequest } from './infer-request.ts';
import type { LiveRevision } from './live-revision.ts';
import { type Choice, chooseShare } from './router.ts';
import { readRowFacts } from './row-facts.ts';
import { servingErrors } from './serving-errors.ts';

/** The revision that answers a request: the version that it names, else by the endpoint's traffic. */
export function chooseRevision(
  endpoint: Endpoint,
  request: InferRequest,
  call: CallContext,
  random: () => number,
): { readonly serving: ServingState; readonly choice: Choice<LiveRevision> } {
  const serving = endpoint.serving ?? unavailable(endpoint);
  if (call.version !== undefined) {
    const target = findVersion(serving, call.version);
    if (target !== undefined) return { serving, choice: { target, reason: 'pinned', propensity: 1 } };
    const known = [...new Set([...serving.revisions.values()].map(({ version }) => version))].join(', ');
    throw servingErrors.VERSION_NOT_FOUND(endpoint.name, call.version, known);
  }
  const { sticky, traffic } = serving;
  const isSplit = traffic.length > 1;
  const value = sticky === undefined || !isSplit ? undefined : stickyValue(sticky, request, call);
  const by = sticky === undefined || value === undefined ? undefined : { salt: sticky.salt, value };
  return { serving, choice: chooseShare(traffic, by, random) ?? unavailable(endpoint) };
}

function unavailable(endpoint: Endpoint): never {
  switch (endpoint.state) {
    case 'loading':
      throw servingErrors.ENDPOINT_LOADING(endpoint.name);
    case 'failed':
      throw servingErrors.ENDPOINT_FAILED(endpoint.name, endpoint.error ?? 'its model could not be loaded');
    default:
      throw servingErrors.ENDPOINT_WITHOUT_MODEL(endpoint.name);
  }
}

/** By version, else by the revision's id; of two revisions of one version the one with more traffic. */
export function findVersion(serving: ServingState, version: string): LiveRevision | undefined {
  const byTraffic = serving.traffic.toSorted((a, b) => b.basisPoints - a.basisPoints).map(({ target }) => target);
  const candidates = [...byTraffic, ...serving.revisions.values()];
  return candidates.find((revision) => revision.version === version) ?? serving.revisions.get(version);
}

/** A request of several rows stays together: its first key, or the first value of the column, decides. */
function stickyValue(
  sticky: NonNullable<ServingState['sticky']>,
  request: InferRequest,
  call: CallContext,
): string | undefined {
  switch (sticky.by) {
    case 'principal':
      return call.principal;
    case 'header':
      return sticky.header === undefined ? undefined : call.header(sticky.header.toLowerCase());
    case 'cookie':
      return sticky.cookie === undefined ? undefined : cookieOf(call.header('cookie'), sticky.cookie);
    case 'column': {
      const column = request.inputs.find(({ name }) => name === sticky.column);
      return column?.data[0] === undefined ? undefined : String(column.data[0]);
    }
    default:
      return firstKey(request, call);
  }
}

function firstKey(request: InferRequest, call: CallContext): string | undefined {
  const rows = request.inputs[0]?.shape[0] ?? 1;
  if (rows === 0) return undefined;
  const facts = { keyHeader: call.keyHeader, eventTimeHeader: undefined, receivedAtMs: 0, replay: true };
  const { keys } = readRowFacts(rows, { ...facts, parameters: { keys: request.parameters['keys'] } });
  return keys[0] ?? undefined;
}

/** RFC 6265: `name=value; name=value`; the first of a name counts. */
function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}
