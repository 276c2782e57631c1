import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { LineageApi } from '#modules/lineage';
import { isPrompt, type RegistryApi } from '#modules/registry';
import type { TracesApi } from '#modules/traces';
import type { TrackingApi } from '#modules/tracking';
import type { Reader } from '#platform/database';
import type { AppError } from '#platform/errors';
import { registerRawRoute, type Sensitive } from '#platform/http';
import { dress } from './dress.ts';
import { experimentPage, experimentsPage } from './experiment-page.ts';
import { type Html, html } from './html.ts';
import { loggedModelPage, modelPage, modelsPage, versionPage } from './model-pages.ts';
import { countIn, layout, textIn, textsIn } from './parts.ts';
import { type Paths, pathsOf, withQuery } from './paths.ts';
import { promptPage, promptVersionPage } from './prompt-pages.ts';
import { runPage } from './run-page.ts';
import { placeIn, signInPage } from './sign-in.ts';
import { tracePage, tracesPage } from './trace-pages.ts';

interface Asked {
  readonly paths: Paths;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly reply: FastifyReply;
}

/** A page's text; undefined when there is no such thing; or it has sent something by `reply`. */
type Handle = (asked: Asked) => Promise<string | FastifyReply | undefined>;

type AddPage = (path: string, missing: string, handle: Handle, sensitive?: Sensitive) => void;

interface RecordDeps {
  readonly reader: Reader;
  readonly tracking: TrackingApi;
  readonly registry: RegistryApi;
  readonly lineage: LineageApi;
  readonly traces: TracesApi;
}

const ofProject = (path: string | undefined, reply: FastifyReply): FastifyReply | undefined =>
  path === undefined ? undefined : reply.redirect(path, 302);

/**
 * The pages of experiments, runs, models and prompts: what the links lead to that MLflow's clients print (ui/open-link.js).
 * Plain HTML made here, so that a run of any size opens at once and without a script. Who must say who they are is shown the
 * form for a token in the page's place.
 */
export function registerRecords(app: FastifyInstance, deps: RecordDeps): void {
  const { reader, tracking, traces } = deps;

  const page: AddPage = (path, missing, handle, sensitive) => {
    registerRawRoute(app, {
      id: `page ${path}`,
      method: 'GET',
      path: `/ui${path}`,
      permission: 'read',
      ...(sensitive !== undefined && { sensitive }),
      renderError: (error, request, reply) => sendProblem(error, request, reply),
      handle: async (request, reply, { project }) => {
        const paths = pathsOf(project);
        const answer = await handle({
          paths,
          reply,
          params: request.params as Readonly<Record<string, string>>,
          query: request.query as Readonly<Record<string, unknown>>,
        });
        if (answer !== undefined && typeof answer !== 'string') return answer;
        return dress(reply.code(answer === undefined ? 404 : 200)).send(
          answer ?? problemPage(paths, 'Not here', `${missing} It was never here, or it was purged.`),
        );
      },
    });
  };

  page('/experiments', '', async ({ paths, query }) =>
    experimentsPage({ reader, tracking, paths }, countIn(query['from'])),
  );

  page(
    '/experiments/:experimentId',
    'There is no such experiment in this project.',
    async ({ paths, params, query }) => {
      const experiment = await tracking.experiment(reader, paths.project, params['experimentId'] ?? '');
      if (experiment === undefined) return undefined;
      return experimentPage({ reader, tracking, paths }, experiment, {
        filter: textIn(query['filter']),
        order: textIn(query['order']),
        columns: textsIn(query['columns']),
        after: textIn(query['after']),
        deleted: query['deleted'] === 'yes',
      });
    },
  );

  page(
    '/experiments/:experimentId/runs/:runId',
    'There is no such run in this project.',
    async ({ paths, params, query }) => {
      const run = await tracking.run(reader, paths.project, params['runId'] ?? '');
      if (run === undefined) return undefined;
      return runPage({ ...deps, paths }, run, {
        find: textIn(query['find']),
        metricsFrom: countIn(query['metrics']),
        paramsFrom: countIn(query['params']),
        tagsFrom: countIn(query['tags']),
        childrenFrom: countIn(query['children']),
        path: textIn(query['path']),
      });
    },
  );

  page(
    '/experiments/:experimentId/models/:modelId',
    'There is no such logged model in this project.',
    async (asked) => {
      const { paths, params, query } = asked;
      const model = await tracking.loggedModel(reader, paths.project, params['modelId'] ?? '');
      return model && loggedModelPage({ ...deps, paths }, model, textIn(query['path']));
    },
  );

  page('/experiments/:experimentId/traces', 'There is no such experiment in this project.', async (asked) => {
    const { paths, params, query } = asked;
    const experiment = await tracking.experiment(reader, paths.project, params['experimentId'] ?? '');
    const choice = { filter: textIn(query['filter']), after: textIn(query['after']) };
    return experiment && tracesPage({ reader, traces, tracking, paths }, experiment, choice);
  });
  page('/traces', '', async ({ paths, query }) => {
    const choice = { filter: textIn(query['filter']), after: textIn(query['after']) };
    return tracesPage({ reader, traces, tracking, paths }, undefined, choice);
  });
  const showTrace: Handle = async ({ paths, params }) => {
    const [trace] = await traces.traces(reader, paths.project, [params['traceId'] ?? '']);
    if (trace === undefined) return undefined;
    return tracePage(paths, trace, await tracking.experiment(reader, paths.project, trace.info.experimentId));
  };
  page('/traces/:traceId', 'There is no such trace in this project.', showTrace, 'trace');

  // a reference does not say in which experiment its run or model is
  page('/runs/:runId', 'There is no such run in this project.', async ({ paths, params, reply }) => {
    const run = await tracking.runInfo(reader, paths.project, params['runId'] ?? '');
    return ofProject(run && paths.run(run.experimentId, run.runId), reply);
  });
  page(
    '/logged-models/:modelId',
    'There is no such logged model in this project.',
    async ({ paths, params, reply }) => {
      const model = await tracking.loggedModel(reader, paths.project, params['modelId'] ?? '');
      return ofProject(model && paths.loggedModel(model.experimentId, model.modelId), reply);
    },
  );

  registerRegistryPages(deps, page);
}

/** Models and prompts have one space of names: whichever way a name is asked for, it comes to the page of what it is. */
function registerRegistryPages(deps: RecordDeps, page: AddPage): void {
  const { reader, registry } = deps;

  for (const kind of ['model', 'prompt'] as const) {
    page(`/${kind}s`, '', async ({ paths }) => modelsPage({ ...deps, paths }, kind));

    page(`/${kind}s/:name`, `There is no such ${kind} in this project.`, async ({ paths, params, reply }) => {
      const model = await registry.model(reader, paths.project, params['name'] ?? '');
      if (model === undefined) return undefined;
      const { name } = model;
      const prompt = isPrompt(model.tags);
      if (prompt !== (kind === 'prompt')) return ofProject(prompt ? paths.prompt(name) : paths.model(name), reply);
      return prompt ? promptPage({ ...deps, paths }, model) : modelPage({ ...deps, paths }, model);
    });

    page(`/${kind}s/:name/versions/:version`, 'There is no such version in this project.', async (asked) => {
      const { paths, params, reply } = asked;
      const model = await registry.model(reader, paths.project, params['name'] ?? '');
      const version = model && (await registry.version(reader, paths.project, model.name, params['version'] ?? ''));
      if (model === undefined || version === undefined) return undefined;
      const prompt = isPrompt(model.tags);
      const at = [model.name, version.version] as const;
      if (prompt !== (kind === 'prompt'))
        return ofProject(prompt ? paths.promptVersion(...at) : paths.version(...at), reply);
      return prompt ? promptVersionPage({ ...deps, paths }, version) : versionPage({ ...deps, paths }, version);
    });
  }
}

const problemPage = (paths: Paths, title: string, text: string | Html): string =>
  layout(
    paths,
    [{ text: title }],
    html`<div class="empty"><h1>${title}</h1><p>${text}</p>
      <p><a href="${paths.experiments}">Experiments of ${paths.project}</a> · <a href="${paths.models}">Models</a></p></div>`,
  );

const asksForToken = new Set(['TOKEN_MISSING', 'TOKEN_INVALID', 'AUTHORIZATION_MALFORMED']);

function sendProblem(error: AppError, request: FastifyRequest, reply: FastifyReply): string {
  const here = placeIn(request.originalUrl);
  if (asksForToken.has(error.code))
    return signInPage(reply, here, error.code === 'TOKEN_MISSING' ? undefined : error.message);
  dress(reply);
  const project = /^\/projects\/([^/?]+)/.exec(request.originalUrl)?.[1];
  const other = withQuery('/ui/sign-in', { to: here });
  return problemPage(
    pathsOf(project ?? 'default'),
    'This cannot be shown',
    html`${error.message}${error.kind === 'forbidden' && html`. <a href="${other}">Sign in with another token</a>`}`,
  );
}
