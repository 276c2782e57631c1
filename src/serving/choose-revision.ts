import { type Choice, chooseShare } from '#contracts/traffic-split';
import type { CallContext } from './call-context.ts';
import type { Endpoint, ServingState } from './endpoint.ts';
import type { InferRequest } from './infer-request.ts';
import type { LiveRevision } from './live-revision.ts';
import { findVersion, servingOf, versionsOf } from './model-versions.ts';
import { readColumn } from './row-column.ts';
import { readRowFacts } from './row-facts.ts';
import { servingErrors } from './serving-errors.ts';

/** The revision that answers a request: the version that it names, else by the endpoint's traffic. */
export function chooseRevision(
  endpoint: Endpoint,
  request: InferRequest,
  call: CallContext,
  random: () => number,
): { readonly serving: ServingState; readonly choice: Choice<LiveRevision> } {
  const serving = servingOf(endpoint);
  if (call.version !== undefined) {
    const target = findVersion(serving, call.version);
    if (target !== undefined) return { serving, choice: { target, reason: 'pinned', propensity: 1 } };
    throw servingErrors.VERSION_NOT_FOUND(endpoint.name, call.version, versionsOf(serving).join(', '));
  }
  const { sticky, traffic } = serving;
  const isSplit = traffic.length > 1;
  const value = sticky === undefined || !isSplit ? undefined : stickyValue(sticky, serving, request, call);
  const by = sticky === undefined || value === undefined ? undefined : { salt: sticky.salt, value };
  const choice = chooseShare(traffic, by, random);
  if (choice === undefined) throw servingErrors.ENDPOINT_WITHOUT_MODEL(endpoint.name);
  return { serving, choice };
}

/** A request of several rows stays together: its first key, or the first value of the column, decides. */
function stickyValue(
  sticky: NonNullable<ServingState['sticky']>,
  serving: ServingState,
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
      const value = sticky.column === undefined ? undefined : firstOf(sticky.column, serving, request);
      return value === undefined ? undefined : String(value);
    }
    default:
      return firstKey(request, call);
  }
}

/** Of the first row, as whichever of the revisions that share the traffic knows the column. */
function firstOf(
  column: string,
  { traffic }: ServingState,
  { inputs }: InferRequest,
): string | number | bigint | undefined {
  for (const { target } of traffic) {
    const value = readColumn(target.signature, inputs, column)?.(0);
    if (value !== undefined) return value;
  }
  return undefined;
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
