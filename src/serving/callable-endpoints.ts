import { nearestName } from '#contracts/nearest-name';
import type { Access, Caller } from './access.ts';
import type { Endpoint } from './endpoint.ts';
import type { EndpointTable } from './endpoint-table.ts';
import { servingErrors } from './serving-errors.ts';

/** The endpoints as one caller sees them: what every listener asks before anything else. */
export interface CallableEndpoints {
  /**
   * The endpoint and the caller's principal. ENDPOINT_NOT_FOUND only to those who may call something: who may call
   * nothing is refused alike for a name that is there and for one that is not.
   */
  find(project: string, name: string, caller: Caller): { readonly endpoint: Endpoint; readonly principal: string };
  /** Those that the caller may call; throws when there are some and that is none of them. */
  list(caller: Caller): readonly Endpoint[];
  /** Those that the caller may call, none when there is none. */
  show(caller: Caller): readonly Endpoint[];
}

export function createCallableEndpoints(deps: {
  readonly table: EndpointTable;
  readonly access: Access;
  /** Where an endpoint is reached, as callers are told. */
  readonly placeOf: (endpoint: Endpoint) => string;
}): CallableEndpoints {
  const { table, access, placeOf } = deps;

  function refuse(project: string, name: string, caller: Caller): never {
    // what was served before this start is not known yet: it is not gone
    if (table.spec === undefined) throw servingErrors.NOT_READY('the server has just started; try again shortly');
    const callable = access.select(table.list(), caller);
    const known = table.find(project, name);
    if (known !== undefined) access.check(known.spec.access, caller); // throws: only who may not call it comes here
    const elsewhere = callable.filter((endpoint) => endpoint.name === name).map(placeOf);
    const here = callable.filter((endpoint) => endpoint.project === project).map((endpoint) => endpoint.name);
    throw servingErrors.ENDPOINT_NOT_FOUND(name, project, elsewhere, nearestName(name, here));
  }

  return {
    find(project, name, caller) {
      const endpoint = table.find(project, name);
      if (endpoint === undefined) return refuse(project, name, caller);
      const principal = access.identify(endpoint.spec.access, caller);
      return principal === undefined ? refuse(project, name, caller) : { endpoint, principal };
    },
    list: (caller) => access.select(table.list(), caller),
    show: (caller) => table.list().filter(({ spec }) => access.identify(spec.access, caller) !== undefined),
  };
}
