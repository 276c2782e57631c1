import { servingErrors } from '../serving-errors.ts';
import type { RestRoute } from './rest-route.ts';

const kinds = ['systemsharedmemory', 'cudasharedmemory'];
const calls = [
  { method: 'GET', path: '[/region/{region}]/status' },
  { method: 'POST', path: '/region/{region}/register' },
  { method: 'POST', path: '[/region/{region}]/unregister' },
] as const;

/** Calls that clients of Triton have and that are not there yet: refused in words, where 404 would say nothing. */
export function createAbsentRoutes(): readonly RestRoute[] {
  return kinds.flatMap((kind) =>
    calls.map(({ method, path }) => ({
      method,
      path: `/v2/${kind}${path}`,
      handle() {
        throw servingErrors.SHARED_MEMORY_NOT_YET();
      },
    })),
  );
}
