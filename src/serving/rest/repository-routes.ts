import { listIndex } from '../model-info.ts';
import { servingErrors } from '../serving-errors.ts';
import { sendJson } from './answers.ts';
import { readBody } from './request-body.ts';
import type { RestCall, RestRoute } from './rest-route.ts';
import type { RestServices } from './rest-services.ts';

/** No body of these routes needs more. */
const maxBytes = 1024 ** 2;

/** The model repository extension: what is there, and asking for it to come and go. */
export function createRepositoryRoutes({ endpoints, models, memory }: RestServices): readonly RestRoute[] {
  return [
    {
      method: 'POST',
      path: '/v2/repository/index',
      async handle({ request, response, project }) {
        const listed = endpoints.list(request).filter((endpoint) => endpoint.project === project);
        const body = await readBody(request, maxBytes, memory);
        memory.give(body.length);
        sendJson(response, 200, listIndex(listed, readOnlyReady(body)));
      },
    },
    {
      method: 'POST',
      path: '/v2/repository/models/{model}/load',
      async handle(call) {
        await models.load(call.project, call.model, call.request);
        sendNothing(call);
      },
    },
    {
      method: 'POST',
      path: '/v2/repository/models/{model}/unload',
      async handle(call) {
        await models.unload(call.project, call.model, call.request);
        sendNothing(call);
      },
    },
  ];
}

/** Clients send `{"ready": true}`, an empty object or nothing at all. */
function readOnlyReady(body: Buffer): boolean {
  if (body.length === 0) return false;
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    throw servingErrors.REQUEST_MALFORMED('the body is no JSON; it takes {"ready": true}, or nothing');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw servingErrors.REQUEST_MALFORMED('the body is no object; it takes {"ready": true}, or nothing');
  const { ready = false } = value as { readonly ready?: unknown };
  if (typeof ready !== 'boolean') throw servingErrors.REQUEST_MALFORMED('"ready" must be true or false');
  return ready;
}

function sendNothing({ response }: RestCall): void {
  response.writeHead(200, { 'content-length': 0 });
  response.end();
}
