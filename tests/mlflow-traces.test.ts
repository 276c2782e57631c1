import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '#platform/testing/database';
import { createMlflowTestServer, type MlflowTestServer } from '../src/protocols/mlflow/mlflow-test-server.ts';
import {
  clientRequirements,
  ensurePython,
  exampleRequirements,
  pythonSetUpMs,
  runMlflowScript,
} from './support/mlflow-script.ts';

const scriptMs = 240_000;

let database: TestDatabase;
let server: MlflowTestServer;
let url: string;

beforeAll(async () => {
  database = await openTestDatabase();
  server = await createMlflowTestServer({ database, clock: database.clock, ids: database.ids });
  url = await server.app.listen({ host: '127.0.0.1', port: 0 });
});

afterAll(async () => {
  await server.app.close();
  await database.close();
});

/** What a script prints last, as JSON; it runs against a project of the server. */
async function runScript(script: string, project: string, requirementsPath: string): Promise<unknown> {
  await database.write({ actor: 'user:test' }, (unit) => server.projects.ensure(unit, project));
  const { pythonPath } = await ensurePython(requirementsPath);
  const trackingUri = `${url}/projects/${project}`;
  return runMlflowScript(pythonPath, script, {
    trackingUri,
    timeoutMs: scriptMs,
    variables: { OTLP_URL: trackingUri },
  });
}

test(
  'an unmodified MLflow client traces, judges, finds and deletes',
  async () => {
    expect(await runScript('mlflow_traces.py', 'traced', exampleRequirements)).toEqual({
      spans: [
        ['answer', 'CHAIN', true],
        ['retrieve', 'RETRIEVER', false],
        ['model', 'LLM', false],
      ],
      status: 'OK',
      preview: ['{"question": "what is green?"}', expect.stringContaining('"answer": "grün 😀"')],
      tokens: { input_tokens: 10, output_tokens: 4, total_tokens: 14 },
      stats: 3,
      outputs: { answer: 'grün 😀', documents: ['about what is green?'], score: 1.5, big: 2 ** 60 },
      temperature: 0.5,
      'source run': true,
      session: 's-1',
      error: ['ERROR', 'no such thing', 'ValueError: no such thing'],
      'by hand': ['by hand', 'step'],
      assessments: [
        ['correct', false, true],
        ['correct', true, false],
        ['facts', 'green', null],
      ],
      overrides: true,
      expectation: { m: '1' },
      judge: 'the judge fell asleep',
      tags: { env: 'prod', checked: 'yes', gone: null },
      found: {
        status: ['breaks'],
        name: ['answer'],
        tag: ['answer'],
        user: ['answer'],
        session: ['answer'],
        run: ['answer'],
        'span name': ['answer'],
        'span type': ['answer'],
        'same span': [],
        attribute: ['answer'],
        text: ['answer'],
        feedback: ['answer'],
        expectation: ['answer'],
        rlike: ['breaks', 'by hand'],
        none: ['breaks'],
        fast: ['answer', 'breaks', 'by hand'],
      },
      pages: [2, 1],
      frame: [1, 3],
      deleted: 1,
      left: ['answer', 'by hand'],
    });
  },
  pythonSetUpMs + scriptMs,
);

test(
  "OpenTelemetry's own exporter delivers spans, compressed or not, and is told what it lacks",
  async () => {
    const told = await runScript('otel_exporter.py', 'exported', 'tests/python/otel-requirements.txt');
    expect(told).toEqual({
      ids: [expect.any(String), expect.any(String), expect.any(String)],
      results: [true, true, true],
      'without header': true,
      json: {},
    });
    const { ids } = told as { readonly ids: readonly string[] };
    for (const { info, spans } of await server.traces.traces(database.read, 'exported', ids)) {
      expect(info).toMatchObject({
        name: 'checkout',
        state: 'OK',
        requestPreview: '3 apples',
        tags: { 'service.name': 'shop', deployment: 'blue' },
        metadata: {
          'mlflow.trace.session': 's-9',
          'mlflow.trace.user': 'u-9',
          'mlflow.trace.tokenUsage': '{"input_tokens":7,"output_tokens":3,"total_tokens":10}',
        },
      });
      const [root, chat] = spans;
      expect(chat).toMatchObject({
        name: 'chat gpt-4',
        status: { code: 'ERROR', message: 'too slow' },
        events: [{ name: 'retried', attributes: [['times', 2]] }],
        links: [{ spanId: root?.spanId, attributes: [['why', 'because']] }],
      });
      expect(chat?.attributes).toEqual(
        expect.arrayContaining([
          ['ratio', { d: 0.5 }],
          ['words', ['a', 'b']],
          ['large', { i: '4611686018427387904' }],
          ['mlflow.spanType', 'CHAT_MODEL'],
          ['mlflow.llm.model', 'gpt-4'],
        ]),
      );
    }
  },
  pythonSetUpMs + scriptMs,
);

for (const version of ['2.22', '3.1'])
  test(
    `a client of MLflow ${version}, which uploads its spans as a file, finds them again and deletes them with the trace`,
    async () => {
      expect(await runScript('mlflow_old_traces.py', `old-${version}`, clientRequirements(version))).toEqual({
        spans: ['outer', 'inner'],
        outputs: 42,
        names: ['breaks', 'outer'],
        failed: ['breaks'],
        'of run': [true],
        tagged: [true],
        team: 'ops',
        deleted: 2,
        left: 0,
      });
      expect(await server.tracking.artifactFolder(database.read, `old-${version}`, '1/traces')).toEqual([]);
    },
    pythonSetUpMs + scriptMs,
  );
