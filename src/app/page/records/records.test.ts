import { expect, test } from 'vitest';
import { openPageServer } from '../testing/page-server.ts';
import { html } from './html.ts';

async function openServer(flags: Record<string, string> = {}) {
  const { app, modules, platform } = await openPageServer(flags);
  const { tracking, registry, traces } = modules.records;
  const write: typeof platform.database.write = (...args) => platform.database.write(...args);
  return { app, tracking, registry, traces, write, projects: modules.projects.api };
}

const actor = { actor: 'user:test' };
const rows = (body: string) => [...body.matchAll(/<th scope="row">(m\d+)</g)].map(([, name]) => name);
const columns = (body: string) => [...body.matchAll(/class="number"><a [^>]*>(\w+)</g)].map(([, name]) => name);
const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
const names = (body: string) => [...body.matchAll(/>(run-\d+|gone)<\/a>/g)].map(([, name]) => name);
const hostile = `<img src=x onerror="alert('1')"> & \`co\``;

test('what a template holds is text', () => {
  expect(html`<a title="${hostile}">${['a<b', html`<i>${1}</i>`, undefined, false]}</a>`.text).toBe(
    '<a title="&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt; &amp; `co`">a&lt;b<i>1</i></a>',
  );
});

test('a run shows what was logged, as text, under a policy that runs nothing', async () => {
  const { app, tracking, write, projects } = await openServer();
  await write(actor, (unit) => projects.create(unit, 'flights'));
  const { info } = await write(actor, async (unit) => {
    const run = await tracking.createRun(unit, { project: 'flights', name: hostile });
    const { runId } = run.info;
    const metrics = [0, 1, 2, 3].map((step) => ({ key: 'loss', value: 4 - step, step, timestampMs: step }));
    const odd = { key: 'odd', value: Number.NaN, step: 5, timestampMs: 1 };
    await tracking.log(unit, {
      project: 'flights',
      runId,
      metrics: [...metrics, odd],
      params: [{ key: 'lr', value: hostile }],
      tags: [{ key: 'mlflow.note.content', value: hostile }],
    });
    const dataset = { name: hostile, digest: 'd', sourceType: 's', source: hostile, tags: [] };
    await tracking.logInputs(unit, { project: 'flights', runId, datasets: [dataset] });
    const sha256 = 'a'.repeat(64);
    for (const name of ['a b.png', 'x.html'])
      await tracking.putArtifact(unit, {
        project: 'flights',
        path: `0/${runId}/artifacts/plots/${name}`,
        sha256,
        sizeBytes: 2048,
      });
    await tracking.createRun(unit, { project: 'flights', name: 'below', parentRunId: runId });
    return run;
  });
  const path = `/projects/flights/ui/experiments/0/runs/${info.runId}`;
  const page = await app.inject(path);
  expect(page.statusCode).toBe(200);
  expect(page.headers['content-security-policy']).toContain("default-src 'none'; style-src 'self'");
  expect(page.headers['content-security-policy']).not.toContain('script-src');
  expect(page.body).not.toMatch(/<img src=x|<script|style="|javascript:/);
  for (const shown of ['loss: 4 at step 0, 1 at step 3', 'odd: no number to draw', '>NaN<', 'below', 'plots/</a>'])
    expect(page.body).toContain(shown);
  const folder = await app.inject(`${path}?path=plots`);
  expect(folder.body).toContain(`/projects/flights/get-artifact?run_id=${info.runId}&amp;path=plots%2Fa%20b.png`);
  // a picture is shown, a page that somebody logged is not
  const view = (name: string) =>
    `/projects/flights/get-artifact?run_id=${info.runId}&amp;path=plots%2F${name}&amp;view=yes`;
  expect(folder.body).toContain(`<img src="${view('a%20b.png')}"`);
  expect(folder.body).toContain('path=plots%2Fx.html"');
  expect(folder.body).not.toContain(view('x.html'));
  expect((await app.inject(`${path}?path=..%2F..`)).statusCode).toBe(200);
  expect((await app.inject(`${path}?metrics=1e99&params=-1&find=%00`)).statusCode).toBe(200);
  // of another project it is not there
  const elsewhere = await app.inject(path.replace('/projects/flights', ''));
  expect([elsewhere.statusCode, elsewhere.body.includes('There is no such run')]).toEqual([404, true]);
});

test('a run with thousands of metrics and params comes in pages, and finds one by a part of its name', async () => {
  const { app, tracking, write } = await openServer();
  const runId = await write(actor, async (unit) => {
    const { info } = await tracking.createRun(unit, { project: 'default' });
    for (let at = 0; at < 3000; at += 1000) {
      const metrics = Array.from({ length: 1000 }, (_, n) => ({
        key: `m${at + n}`,
        value: n,
        step: 0,
        timestampMs: 1,
      }));
      await tracking.log(unit, { project: 'default', runId: info.runId, metrics });
    }
    const params = Array.from({ length: 250 }, (_, n) => ({ key: `p${n}`, value: String(n) }));
    await tracking.log(unit, { project: 'default', runId: info.runId, params });
    return info.runId;
  });
  const path = `/ui/experiments/0/runs/${runId}`;
  const first = await app.inject(path);
  expect(rows(first.body)).toHaveLength(50);
  expect(first.body).toContain('1–50 of 3,000');
  const next = /href="([^"]*\?metrics=50#metrics)"/.exec(first.body)?.[1] ?? '';
  const second = await app.inject(next.replace(/#.*/, ''));
  expect(rows(second.body)).toHaveLength(50);
  expect(rows(second.body).filter((name) => rows(first.body).includes(name))).toEqual([]);
  expect(rows((await app.inject(`${path}?find=M1234`)).body)).toEqual(['m1234']);
  expect((await app.inject(`${path}?find=nothing`)).body).toContain('No metric has such a name.');
  expect(first.body.length).toBeLessThan(60_000);
});

test('an experiment lists its runs page by page, filtered and ordered, and says what is wrong with a filter', async () => {
  const { app, tracking, write } = await openServer();
  await write(actor, async (unit) => {
    for (let n = 0; n < 60; n += 1) {
      const { info } = await tracking.createRun(unit, { project: 'default', name: `run-${n}`, startMs: n });
      const metrics = [{ key: 'auc', value: n, step: 0, timestampMs: 1 }];
      await tracking.log(unit, { project: 'default', runId: info.runId, metrics });
    }
    const { info } = await tracking.createRun(unit, { project: 'default', name: 'gone' });
    await tracking.deleteRun(unit, { project: 'default', runId: info.runId });
  });
  const first = await app.inject('/ui/experiments/0');
  expect(names(first.body).slice(0, 2)).toEqual(['run-59', 'run-58']);
  const next = /rel="next" href="([^"]+)"/.exec(first.body)?.[1]?.replaceAll('&amp;', '&') ?? '';
  expect(names((await app.inject(next)).body)).toEqual(Array.from({ length: 10 }, (_, n) => `run-${9 - n}`));
  const ordered = /href="([^"]+)">auc</.exec(first.body)?.[1]?.replaceAll('&amp;', '&') ?? '';
  expect(names((await app.inject(`${ordered}&filter=metrics.auc < 3`)).body)).toEqual(['run-2', 'run-1', 'run-0']);
  const wrong = await app.inject('/ui/experiments/0?filter=metrics.auc%20%3E');
  expect([wrong.statusCode, wrong.body.includes('role="alert"')]).toEqual([200, true]);
  expect(wrong.body).not.toContain('No run');
  expect((await app.inject('/ui/experiments/0?after=nonsense')).statusCode).toBeLessThan(500);
  expect(names((await app.inject('/ui/experiments/0?deleted=yes')).body)).toEqual(['gone']);
  expect((await app.inject('/ui/experiments')).body).toContain('href="/ui/experiments/0"');
  expect((await app.inject('/ui/experiments')).body).toContain('<th scope="col">name</th>');
});

test('the columns of an experiment are what most runs logged, wherever the list is ordered by', async () => {
  const { app, tracking, write } = await openServer();
  await write(actor, async (unit) => {
    for (let n = 0; n < 6; n += 1) {
      const { info } = await tracking.createRun(unit, { project: 'default', name: `run-${n}`, startMs: n });
      const keys = n === 5 ? ['odd'] : ['auc', 'loss', 'rmse', 'f1'];
      await tracking.log(unit, {
        project: 'default',
        runId: info.runId,
        metrics: keys.map((key) => ({ key, value: n, step: 0, timestampMs: 1 })),
        params: [{ key: n === 5 ? 'odd_param' : 'depth', value: '3' }],
      });
    }
  });
  const { body } = await app.inject('/ui/experiments/0');
  expect(columns(body)).toEqual(['auc', 'f1', 'loss', 'rmse']);
  expect(body).toContain('>depth</a>');
  expect(columns((await app.inject('/ui/experiments/0?order=metrics.loss%20DESC')).body)).toEqual(columns(body));
  const byOdd = (await app.inject('/ui/experiments/0?order=metrics.odd%20DESC')).body;
  expect(columns(byOdd)).toEqual(['odd', 'auc', 'f1', 'loss']);
  // those that are ticked, which the links of the list keep; the form says how many there are beside them
  expect(body).toContain('<summary>Columns (and 1 more)</summary>');
  const ticked = '/ui/experiments/0?columns=metrics.odd&columns=metrics.auc&columns=params.odd_param';
  const chosen = (await app.inject(ticked)).body;
  expect(columns(chosen)).toEqual(['odd', 'auc']);
  expect([...chosen.matchAll(/value="([^"]+)" checked/g)].map(([, name]) => name)).toEqual([
    'metrics.odd',
    'metrics.auc',
    'params.odd_param',
  ]);
  const [, sorted = ''] = /href="([^"]+)">auc</.exec(chosen) ?? [];
  expect(columns((await app.inject(sorted.replaceAll('&amp;', '&'))).body)).toEqual(['odd', 'auc']);
  // every page leads to the others
  for (const path of ['experiments', 'models', 'prompts', 'traces']) {
    expect(body).toContain(`<a href="/ui/${path}">`);
    expect((await app.inject(`/ui/${path}`)).statusCode).toBe(200);
  }
});

test('models and versions have pages', async () => {
  const { app, registry, write } = await openServer();
  await write(actor, async (unit) => {
    await registry.createModel(unit, { project: 'default', model: 'Late <arrivals>' });
    await registry.createVersion(unit, {
      project: 'default',
      model: 'Late <arrivals>',
      source: 's3://elsewhere',
      storageLocation: 's3://elsewhere',
    });
  });
  expect((await app.inject('/ui/models')).body).toContain('/ui/models/Late%20%3Carrivals%3E');
  expect((await app.inject('/ui/models/Late%20%3Carrivals%3E')).body).toContain('Version 1');
  expect((await app.inject('/ui/models/Late%20%3Carrivals%3E/versions/1')).body).toContain('s3://elsewhere');
  expect((await app.inject('/ui/models/none/versions/1')).statusCode).toBe(404);
});

test('prompts have a page of their own, with what they say as text; a name leads to the page of what it is', async () => {
  const { app, registry, write } = await openServer();
  const chat = JSON.stringify([{ role: 'system', content: hostile }]);
  await write(actor, async (unit) => {
    await registry.createModel(unit, { project: 'default', model: 'late' });
    const tags = [{ key: 'mlflow.prompt.is_prompt', value: 'true' }];
    await registry.createModel(unit, { project: 'default', model: 'greet', tags });
    for (const [model, said] of [
      ['late', undefined],
      ['greet', 'Hello {{name}}, how is <b>the sea</b>?'],
      ['greet', chat],
    ] as const)
      await registry.createVersion(unit, {
        project: 'default',
        model,
        source: 'x',
        storageLocation: 'x',
        tags: said === undefined ? [] : [...tags, { key: 'mlflow.prompt.text', value: said }],
      });
  });
  const [models, prompts] = [(await app.inject('/ui/models')).body, (await app.inject('/ui/prompts')).body];
  expect([models.includes('>late<'), models.includes('greet')]).toEqual([true, false]);
  expect(prompts).toContain('<a href="/ui/prompts/greet">greet</a>');
  expect(prompts).not.toContain('>late<');
  const { body } = await app.inject('/ui/prompts/greet');
  expect(body).toMatch(/Newest: version 2.*<h3>system<\/h3><pre class="said">&lt;img src=x/s);
  expect(body).not.toContain('<img src=x');
  expect(body).toContain('<a href="/ui/prompts/greet/versions/1">Version 1</a>');
  expect((await app.inject('/ui/prompts/greet/versions/1')).body).toContain(
    '<pre class="said">Hello {{name}}, how is &lt;b&gt;the sea&lt;/b&gt;?</pre>',
  );
  // a reference says "model" of both
  const goes = async (from: string) => (await app.inject(from)).headers.location;
  expect(await goes('/ui/models/greet')).toBe('/ui/prompts/greet');
  expect(await goes('/ui/models/greet/versions/2')).toBe('/ui/prompts/greet/versions/2');
  expect(await goes('/ui/prompts/late/versions/1')).toBe('/ui/models/late/versions/1');
  for (const path of ['/ui/prompts/none', '/ui/prompts/greet/versions/9'])
    expect([path, (await app.inject(path)).statusCode]).toEqual([path, 404]);
  // nor does the front page count them
  expect((await app.inject('/api/v1/overview')).json()).toMatchObject({ models: [{ name: 'late' }] });
});

test('a trace shows its spans below each other as text, and its experiment lists it', async () => {
  const { app, traces, write } = await openServer();
  const attributes = [{ key: 'mlflow.spanInputs', value: { stringValue: hostile } }];
  const span = (id: number, parent: number | undefined, name: string) => ({
    traceId: 'a'.repeat(32),
    spanId: String(id).padStart(16, '0'),
    ...(parent !== undefined && { parentSpanId: String(parent).padStart(16, '0') }),
    name,
    startTimeUnixNano: `${id}000000000`,
    endTimeUnixNano: `${id + 1}000000000`,
    attributes,
  });
  const sent = await app.inject({
    method: 'POST',
    url: '/v1/traces',
    headers: { 'content-type': 'application/json', 'x-mlflow-experiment-id': '0', host: 'localhost' },
    payload: {
      resourceSpans: [
        {
          scopeSpans: [
            {
              spans: [
                span(1, undefined, hostile),
                span(2, 1, 'child'),
                span(3, 2, 'grand'),
                span(4, 5, 'hen'),
                span(5, 4, 'egg'),
                span(6, 6, 'itself'),
              ],
            },
          ],
        },
      ],
    },
  });
  expect(sent.statusCode).toBe(200);
  const id = `tr-${'a'.repeat(32)}`;
  await write(actor, (unit) =>
    traces.createAssessment(unit, {
      project: 'default',
      traceId: id,
      assessment: {
        kind: 'feedback',
        name: 'good',
        value: true,
        error: undefined,
        sourceType: 'HUMAN',
        sourceId: hostile,
        rationale: undefined,
        metadata: undefined,
        spanId: undefined,
      },
    }),
  );
  const { body, headers } = await app.inject(`/ui/traces/${id}`);
  expect(headers['content-security-policy']).toContain("default-src 'none'");
  expect(body).not.toContain('<img src=x');
  expect(body).toMatch(/· child[^]*· · grand[^]*hen[^]*· egg[^]*itself/); // also those that no root leads to
  expect(body).toContain('feedback good by HUMAN');
  const list = (await app.inject('/ui/experiments/0/traces')).body;
  expect(list).toContain(`/ui/traces/${id}`);
  expect(list).not.toContain('<img src=x');
  expect((await app.inject("/ui/experiments/0/traces?filter=status%20%3D%20'ERROR'")).body).toContain(
    'No trace is as the filter wants it.',
  );
  expect((await app.inject('/ui/experiments/0/traces?filter=nonsense')).body).toContain('role="alert"');
  for (const missing of ['/ui/traces/tr-none', '/ui/experiments/77/traces'])
    expect((await app.inject(missing)).statusCode).toBe(404);
});

const raised = (atMs: number) => ({
  name: 'exception',
  timeUnixNano: `${atMs}000000`,
  attributes: [
    text('exception.type', 'ValueError'),
    text('exception.message', hostile),
    text('exception.stacktrace', `Traceback at ${atMs}`),
  ],
});

const failedSpan = (id: number, parent: number | undefined, atMs: number) => ({
  traceId: 'b'.repeat(32),
  spanId: String(id).padStart(16, '0'),
  ...(parent !== undefined && { parentSpanId: String(parent).padStart(16, '0') }),
  name: `span ${id}`,
  startTimeUnixNano: `${1_000 + id}000000`,
  endTimeUnixNano: '2000000000',
  status: { code: 2, message: `ValueError: ${hostile}` },
  attributes: [text('mlflow.spanType', 'LLM'), text('mlflow.spanInputs', '{"q":"grass"}'), text('temperature', '0')],
  events: [raised(atMs)],
});

test('what was raised in a trace is told with its stack, open where it began; and what went in and out', async () => {
  const { app } = await openServer();
  await app.inject({
    method: 'POST',
    url: '/v1/traces',
    headers: { 'content-type': 'application/json', 'x-mlflow-experiment-id': '0', host: 'localhost' },
    payload: { resourceSpans: [{ scopeSpans: [{ spans: [failedSpan(1, undefined, 1600), failedSpan(2, 1, 1500)] }] }] },
  });
  const { body } = await app.inject(`/ui/traces/tr-${'b'.repeat(32)}`);
  expect(body).toContain('<span class="badge bad">error</span>');
  expect(body).toContain('<td>LLM</td>');
  expect(body).toContain('{&quot;q&quot;:&quot;grass&quot;}');
  expect(body).toContain('1 attribute<');
  expect(body).not.toContain('<img src=x');
  // once for each span: its status says the same as its exception
  expect(body.match(/ValueError: &lt;img/g)).toHaveLength(2);
  expect(
    [...body.matchAll(/<details( open)?><summary>stack trace<\/summary><pre>([^<]*)</g)].map((m) => m.slice(1)),
  ).toEqual([
    [undefined, 'Traceback at 1600'],
    [' open', 'Traceback at 1500'],
  ]);
  const list = (await app.inject('/ui/traces')).body;
  expect(list).toMatch(/1970-01-01 00:00:01\.001 UTC/);
  expect(list).toContain('<a href="/ui/experiments/0">Default</a>');
});

test("links of MLflow's page open the page here", async () => {
  const { app } = await openServer();
  const script = (await app.inject('/ui/open-link.js')).body;
  /** Where the script goes from an address: run as a browser runs it. */
  const from = (pathname: string, hash: string): string | undefined => {
    let went: string | undefined;
    const location = { pathname, hash, replace: (to: string) => void (went = to) };
    // oxlint-disable-next-line typescript/no-implied-eval
    new Function('location', 'addEventListener', script)(location, () => undefined);
    return went;
  };
  expect(from('/', '#/experiments/1/runs/abc')).toBe('/ui/experiments/1/runs/abc');
  expect(from('/', '#/experiments/1/runs/abc/artifacts/model?x=1')).toBe('/ui/experiments/1/runs/abc');
  expect(from('/projects/flights/', '#/experiments/1')).toBe('/projects/flights/ui/experiments/1');
  expect(from('/projects/flights', '#/experiments/1/models/m-1')).toBe('/projects/flights/ui/experiments/1/models/m-1');
  expect(from('/', '#/experiments/1/traces?selectedEvaluationId=tr-1')).toBe('/ui/traces/tr-1');
  expect(from('/projects/p/', '#/experiments/1/traces')).toBe('/projects/p/ui/experiments/1/traces');
  expect(from('/', '#/experiments/1/traces?selectedEvaluationId=..%2Fx')).toBe('/ui/experiments/1/traces');
  expect(from('/', '#/models/Late%20arrivals/versions/3')).toBe('/ui/models/Late%20arrivals/versions/3');
  expect(from('/', '#/models/late')).toBe('/ui/models/late');
  expect(from('/', '#/prompts')).toBe('/ui/prompts');
  expect(from('/projects/flights/', '#/prompts/greet')).toBe('/projects/flights/ui/prompts/greet');
  // a client that names its project by a header has no prefix in the address, and says the project in the link
  expect(from('/', '#/experiments/1/runs/abc?workspace=flights')).toBe('/projects/flights/ui/experiments/1/runs/abc');
  expect(from('/projects/flights/', '#/experiments/1?workspace=trains')).toBe('/projects/trains/ui/experiments/1');
  expect(from('/', '#/experiments/1?workspace=..%2F..%2Fevil')).toBe('/ui/experiments/1');
  // what evaluate prints
  expect(from('/', '#/experiments/1/evaluation-runs?selectedRunUuid=abc')).toBe('/ui/experiments/1/runs/abc');
  expect(from('/', '#/experiments/1/evaluation-runs?selectedRunUuid=..%2Fx')).toBe('/ui/experiments/1');
  for (const hash of ['', '#board', '#/', '#/nothing', '#//evil.example/x'])
    expect([hash, from('/', hash)]).toEqual([hash, undefined]);
});
