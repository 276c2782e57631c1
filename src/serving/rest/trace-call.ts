import type { RequestTrace } from '../tracing/request-trace.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { RestCall } from './rest-route.ts';

/** The trace of a call, which ends with its answer; names as OpenTelemetry has them for HTTP. */
export function beginTrace(
  tracing: Tracing,
  { request, response, route: path, version }: RestCall,
  startMs: number,
): RequestTrace | undefined {
  const { method = 'POST', headers, url = '/' } = request;
  const route = path.replaceAll(/\[([^\]]*)\]/g, version === undefined ? '' : '$1');
  const trace = tracing.begin({
    traceparent: headers['traceparent'] as string | undefined,
    tracestate: headers['tracestate'] as string | undefined,
    startMs,
    name: `${method} ${route}`,
    attributes: [
      ['http.request.method', method],
      ['http.route', route],
      ['url.path', (url.split('?', 1)[0] ?? url).slice(0, 256)],
    ],
  });
  if (trace === undefined) return undefined;
  response.once('finish', () => {
    const { statusCode } = response;
    trace.tell('http.response.status_code', statusCode);
    if (statusCode >= 400) trace.tell('error.type', String(statusCode));
    trace.end(statusCode >= 500); // 4xx is the caller's fault, as the conventions have it for a server
  });
  response.once('close', () => {
    trace.fail('the caller left before the answer');
    trace.end(true); // unless it had ended before
  });
  return trace;
}
