import { describeConfig, describeModel, modelStatistics } from '../model-info.ts';
import { revisionOf } from '../model-versions.ts';
import { sendJson } from './answers.ts';
import type { RestRoute } from './rest-route.ts';
import type { RestServices } from './rest-services.ts';

const path = '/v2/models/{model}[/versions/{version}]';

/** What models are and did. */
export function createModelRoutes({ endpoints }: RestServices): readonly RestRoute[] {
  return [
    {
      // before the metadata of a model: one named "stats" has its own under its version
      method: 'GET',
      path: '/v2/models/stats',
      handle({ request, response, project }) {
        const answering = endpoints
          .list(request)
          .filter((endpoint) => endpoint.project === project && endpoint.serving !== undefined);
        sendJson(response, 200, { model_stats: answering.flatMap((endpoint) => modelStatistics(endpoint, undefined)) });
      },
    },
    {
      method: 'GET',
      path,
      handle({ request, response, project, model, version }) {
        sendJson(response, 200, describeModel(endpoints.find(project, model, request).endpoint, version));
      },
    },
    {
      method: 'GET',
      path: `${path}/ready`,
      handle({ request, response, project, model, version }) {
        revisionOf(endpoints.find(project, model, request).endpoint, version);
        sendJson(response, 200, { name: model, ready: true });
      },
    },
    {
      method: 'GET',
      path: `${path}/config`,
      handle({ request, response, project, model, version }) {
        sendJson(response, 200, describeConfig(endpoints.find(project, model, request).endpoint, version));
      },
    },
    {
      method: 'GET',
      path: `${path}/stats`,
      handle({ request, response, project, model, version }) {
        const { endpoint } = endpoints.find(project, model, request);
        sendJson(response, 200, { model_stats: modelStatistics(endpoint, version) });
      },
    },
  ];
}
