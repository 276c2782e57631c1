import { namesOverride } from '../model-control.ts';
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
      async handle(call) {
        const { request, response, project } = call;
        const listed = endpoints.list(request).filter((endpoint) => endpoint.project === project);
        const body = await readBody(call, maxBytes, memory);
        memory.give(body.length);
        sendJson(response, 200, listIndex(listed, readOnlyReady(body), models.absence));
      },
    },
    {
      method: 'POST',
      path: '/v2/repository/models/{model}/load',
      async handle(call) {
        if (models.byRequest) {
          const body = await readBody(call, maxBytes, memory);
          memory.give(body.length);
          refuseOverride(body);
        }
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
  const { ready = false } = readObject(body, 'it takes {"ready": true}, or nothing') as { readonly ready?: unknown };
  if (typeof ready !== 'boolean') throw servingErrors.REQUEST_MALFORMED('"ready" must be true or false');
  return ready;
}

function readObject(body: Buffer, takes: string): object {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    throw servingErrors.REQUEST_MALFORMED(`the body is no JSON; ${takes}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw servingErrors.REQUEST_MALFORMED(`the body is no object; ${takes}`);
}

/** Triton's load can bring a configuration and files of its own. */
function refuseOverride(body: Buffer): void {
  if (body.length === 0) return;
  const { parameters } = readObject(body, 'it takes {}, or nothing') as { readonly parameters?: unknown };
  if (typeof parameters === 'object' && parameters !== null && namesOverride(Object.keys(parameters)))
    throw servingErrors.MODEL_OVERRIDE_NOT_YET();
}

function sendNothing({ response }: RestCall): void {
  response.writeHead(200, { 'content-length': 0 });
  response.end('', 'utf8');
}
