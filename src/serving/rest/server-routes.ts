import type { Endpoint } from '../endpoint.ts';
import { extensions, logSettings, traceSettingsOf } from '../server-settings.ts';
import { servingErrors } from '../serving-errors.ts';
import { sendBody, sendJson } from './answers.ts';
import type { RestCall, RestRoute } from './rest-route.ts';
import type { RestServices } from './rest-services.ts';

/** `generate` is of REST alone. */
export const ownExtensions = [...extensions, 'generate'].toSorted();

/** Where an endpoint answers; the project `default` needs no prefix. */
export const placeOf = ({ project, name }: Pick<Endpoint, 'project' | 'name'>): string =>
  `${project === 'default' ? '' : `/projects/${encodeURIComponent(project)}`}/v2/models/${encodeURIComponent(name)}`;

const live = ({ response }: RestCall): void => sendJson(response, 200, { live: true });

/** The process itself: what it is, whether it lives, its figures and settings. */
export function createServerRoutes(services: RestServices): readonly RestRoute[] {
  const { endpoints, programVersion, tracing } = services;
  const traceSettings = traceSettingsOf(tracing !== undefined);
  const ready = ({ response }: RestCall): void => {
    const reason = services.unreadiness();
    if (reason === undefined) return sendJson(response, 200, { ready: true });
    response.setHeader('retry-after', '1');
    sendJson(response, 503, { error: reason });
  };

  return [
    {
      method: 'GET',
      path: '/',
      rootOnly: true,
      handle({ request, response }) {
        sendJson(response, 200, {
          name: 'tidemill',
          version: programVersion,
          says: 'predictions by the Open Inference Protocol v2: POST <path>/infer; GET <path> says what a model takes',
          models: endpoints.show(request).map((endpoint) => ({
            project: endpoint.project,
            name: endpoint.name,
            state: endpoint.state,
            path: placeOf(endpoint),
          })),
          health: '/health/ready',
          metrics: '/metrics',
        });
      },
    },
    { method: 'GET', path: '/health/live', rootOnly: true, handle: live },
    { method: 'GET', path: '/health/ready', rootOnly: true, handle: ready },
    {
      method: 'GET',
      path: '/metrics',
      rootOnly: true,
      handle(call) {
        const text = services.metrics(endpoints.list(call.request));
        return sendBody(call, text, ['content-type', 'text/plain; version=0.0.4; charset=utf-8']);
      },
    },
    {
      method: 'GET',
      path: '/v2',
      handle: ({ response }) =>
        sendJson(response, 200, { name: 'tidemill', version: programVersion, extensions: ownExtensions }),
    },
    { method: 'GET', path: '/v2/health/live', handle: live },
    { method: 'GET', path: '/v2/health/ready', handle: ready },
    ...settingsAt('/v2/logging', 'log settings', () => logSettings),
    ...settingsAt('/v2/trace/setting', 'trace settings', () => traceSettings),
    ...settingsAt('/v2/models/{model}/trace/setting', 'trace settings', ({ project, model, request }) => {
      endpoints.find(project, model, request);
      return traceSettings;
    }),
  ];
}

/** Settings that are read here and set at the start. */
function settingsAt(path: string, what: string, read: (call: RestCall) => unknown): readonly RestRoute[] {
  return [
    { method: 'GET', path, handle: (call) => sendJson(call.response, 200, read(call)) },
    {
      method: 'POST',
      path,
      handle(call) {
        read(call); // who may not read them is told that instead
        throw servingErrors.SETTINGS_ARE_FIXED(what);
      },
    },
  ];
}
