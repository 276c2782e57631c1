import type { SpanRecord } from '#contracts/trace-transfer';
import { type Json, list, text } from './json.ts';
import { type MlflowRest, mlflow3 } from './mlflow-rest.ts';
import { toSpanRecord } from './mlflow-spans.ts';
import type { Source, SourceTrace } from './source.ts';
import { toSourceTrace } from './trace-json.ts';
import { spansLocationTag } from './trace-words.ts';

const tracesAtOnce = 100;
/** Of traces whose spans are asked for. */
const idsAtOnce = 10;

/** Traces of a server: of 3 by its newer call, of 2.14 and later by the older one, which has no assessments. */
export function createRestTraces(rest: MlflowRest): Pick<Source, 'traces' | 'spans'> {
  async function* newPages(experimentId: string): AsyncGenerator<readonly Json[] | undefined> {
    for (let token = ''; ; ) {
      const page = await rest.tryPost(`${mlflow3}/traces/search`, {
        locations: [{ type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: experimentId } }],
        max_results: tracesAtOnce,
        ...(token !== '' && { page_token: token }),
      });
      yield page === undefined ? undefined : list(page['traces']);
      token = text(page?.['next_page_token']);
      if (token === '') return;
    }
  }

  async function* oldPages(experimentId: string): AsyncGenerator<readonly Json[]> {
    for (let token = ''; ; ) {
      const query = { experiment_ids: [experimentId], max_results: tracesAtOnce };
      const page = await rest.tryGet('/traces', { ...query, ...(token !== '' && { page_token: token }) });
      yield list(page?.['traces']);
      token = text(page?.['next_page_token']);
      if (token === '') return;
    }
  }

  return {
    async *traces(experimentId) {
      for await (const page of newPages(experimentId)) {
        if (page !== undefined) yield page.map((info) => toSourceTrace(info, experimentId));
        else for await (const old of oldPages(experimentId)) yield old.map((info) => toSourceTrace(info, experimentId));
      }
    },

    async spans(traces) {
      const found = new Map<string, readonly SpanRecord[]>();
      const ids = traces.filter(inTable).map(({ record }) => record.id);
      for (let at = 0; at < ids.length; at += idsAtOnce) {
        const page = await rest.tryGet(`${mlflow3}/traces/batchGet`, { trace_ids: ids.slice(at, at + idsAtOnce) });
        for (const trace of list(page?.['traces'])) {
          const info = trace['trace_info'] as Json | undefined;
          found.set(
            text(info?.['trace_id']),
            list(trace['spans']).flatMap((span) => toSpanRecord(span) ?? []),
          );
        }
      }
      return found;
    },
  };
}

/** Those of others are in a file. */
const inTable = ({ record }: SourceTrace): boolean =>
  record.tags.some(({ key, value }) => key === spansLocationTag && value === 'TRACKING_STORE');
