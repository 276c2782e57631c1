import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { traceId, useTraces } from './testing/trace-test-client.ts';

const attachment = '01234567-89ab-cdef-0123-456789abcdef';

describeDatabases("the files of MLflow's traces", (open) => {
  const { send, get, spans, tell } = useTraces(open);
  const fetchFile = (query: Record<string, string>, version = '3.0') =>
    send({ method: 'GET', url: `/ajax-api/${version}/mlflow/get-trace-artifact`, query });
  const put = (path: string, text: string) =>
    send({ method: 'PUT', url: `/api/2.0/mlflow-artifacts/artifacts/${path}`, payload: Buffer.from(text) });

  test('spans that are here leave as the file that MLflow makes of them', async () => {
    await spans(1, [
      { id: 1, name: 'root', attributes: { 'mlflow.spanInputs': { stringValue: 'x' }, score: { doubleValue: 1 } } },
      { id: 2, parent: 1, attributes: { count: { intValue: 3 } } },
    ]);
    for (const version of ['2.0', '3.0']) {
      const { status, body } = await fetchFile({ request_id: traceId(1) }, version);
      expect([status, body.spans.length]).toEqual([200, 2]);
      const root = body.spans.find(({ name }: { name: string }) => name === 'root');
      expect(root).toMatchObject({
        parent_span_id: null,
        status: { code: expect.stringMatching(/^STATUS_CODE_/) },
        attributes: { 'mlflow.spanInputs': '"x"', score: '1.0', 'mlflow.traceRequestId': `"${traceId(1)}"` },
      });
      const child = body.spans.find(({ name }: { name: string }) => name !== 'root');
      expect(child).toMatchObject({ parent_span_id: root.span_id, attributes: { count: '3' } });
      expect(typeof child.start_time_unix_nano).toBe('number');
    }
  });

  test('spans that their client uploaded, and attachments, are read from among its artifacts', async () => {
    await tell(2);
    expect((await fetchFile({ request_id: traceId(2) })).status).toBe(404);
    const { tags } = (await get(`/${traceId(2)}`)).body.trace.trace_info;
    const folder = tags['mlflow.artifactLocation'].slice('mlflow-artifacts:/'.length);
    await put(`${folder}/traces.json`, '{"spans":["uploaded"]}');
    await put(`${folder}/attachments/${attachment}`, '"attached"');
    expect((await fetchFile({ request_id: traceId(2) })).body).toEqual({ spans: ['uploaded'] });
    expect((await fetchFile({ request_id: traceId(2), path: attachment })).body).toBe('attached');
  });

  test('what names no file is refused in the words of MLflow', async () => {
    await tell(3);
    expect(await fetchFile({})).toEqual({
      status: 400,
      body: { error_code: 'BAD_REQUEST', message: 'Request must include the "request_id" query parameter.' },
    });
    expect(await fetchFile({ request_id: traceId(3), path: '../traces.json' })).toEqual({
      status: 400,
      body: {
        error_code: 'INVALID_PARAMETER_VALUE',
        message: "Invalid attachment path: '../traces.json'. Attachment path must be a valid UUID.",
      },
    });
    expect((await fetchFile({ request_id: 'tr-none' })).status).toBe(404);
    expect((await fetchFile({ request_id: traceId(3) })).status).toBe(404);
  });
});
