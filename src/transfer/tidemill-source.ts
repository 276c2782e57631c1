import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { listWebhooks } from '#contracts/automation';
import { exportTraces, type SpanRecord } from '#contracts/trace-transfer';
import {
  exportExperiments,
  exportFiles,
  exportHistories,
  exportLoggedModels,
  exportModels,
  exportRuns,
} from '#contracts/transfer';
import { isOddFolder, proxiedPathOf, whyOddFolder } from './artifact-path.ts';
import { type AskServer, countLeft } from './count-left.ts';
import type { Json } from './json.ts';
import type { LeftBehind, Source, SourceFile } from './source.ts';
import type { TidemillApi } from './target-api.ts';

const ours = 'mlflow-artifacts:/';

interface Page<Item> {
  readonly items: readonly Item[];
  readonly next?: string;
}

export async function* pagesOf<Item>(
  ask: (page: { readonly cursor?: string }) => Promise<Page<Item>>,
): AsyncGenerator<readonly Item[]> {
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page: Page<Item> = await ask(cursor === undefined ? {} : { cursor });
    cursor = page.next;
    if (page.items.length > 0) yield page.items;
  }
}

/** Where its bytes are is told beside a record. */
function withoutPlace<Given extends { keptAt?: string }>(given: Given): Omit<Given, 'keptAt'> {
  const { keptAt, ...record } = given;
  void keptAt;
  return record;
}

/** They are no part of the bulk API: counted by MLflow's, which an older server may not have, and our own for webhooks of both. */
async function countLeftBehind(api: TidemillApi): Promise<LeftBehind[]> {
  const ask: AskServer = async (path, query) => {
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) search.set(key, String(value));
    const answer = await api.request(`${path}?${search.toString()}`).catch((error: unknown) => {
      if (error instanceof Error && 'status' in error && error.status === 404) return undefined;
      throw error;
    });
    return answer === undefined ? undefined : ((await answer.json()) as Json);
  };
  let count = 0;
  for await (const page of pagesOf((query) => api.call(listWebhooks, { query }))) count += page.length;
  return [...(await countLeft(ask, ['datasets', 'scorers'])), ...(count > 0 ? [{ what: 'webhooks', count }] : [])];
}

/** A project of a Tidemill, by its bulk API. */
export function createTidemillSource(api: TidemillApi, label: string): Source {
  async function* filesBelow(folder: string): AsyncGenerator<SourceFile> {
    for await (const page of pagesOf((cursor) => api.call(exportFiles, { query: { ...cursor, folder } })))
      for (const { path, sha256, sizeBytes } of page)
        yield { path: path.slice(folder.length + 1), sizeBytes, sha256, open: () => bytes(sha256) };
  }

  async function bytes(sha256: string): Promise<Readable> {
    const { body } = await api.request(`/api/v1/artifacts/${sha256}`);
    return Readable.fromWeb((body ?? new Blob([]).stream()) as ReadableStream<Uint8Array>);
  }

  /** Spans come with their traces. */
  const spansOf = new Map<string, readonly SpanRecord[]>();

  return {
    label,

    async experiments() {
      const found = [];
      for await (const page of pagesOf((query) => api.call(exportExperiments, { query })))
        for (const { keptAt, ...record } of page) found.push({ record, artifactUri: keptAt ?? `${ours}${record.id}` });
      return found;
    },

    async *runs(experimentId) {
      for await (const page of pagesOf((cursor) => api.call(exportRuns, { query: { ...cursor, experimentId } })))
        yield page.map(({ run, artifactUri, points }) => ({
          record: withoutPlace(run),
          artifactUri,
          points,
          hint: points,
        }));
    },

    async *histories(runs) {
      for (const { record, points } of runs) {
        if (points === 0) continue;
        for await (const page of pagesOf((cursor) =>
          api.call(exportHistories, { query: { ...cursor, runId: record.id } }),
        ))
          yield* page;
      }
    },

    async *loggedModels(experimentId) {
      for await (const page of pagesOf((cursor) =>
        api.call(exportLoggedModels, { query: { ...cursor, experimentId } }),
      ))
        yield page.map(({ model, artifactUri }) => ({ record: withoutPlace(model), artifactUri }));
    },

    async *traces(experimentId) {
      for await (const page of pagesOf((cursor) => api.call(exportTraces, { query: { ...cursor, experimentId } })))
        yield page.map(({ trace: { spans, ...record }, artifactUri }) => {
          spansOf.set(record.id, spans);
          return { record, artifactUri, spans: spans.length };
        });
    },

    async spans(traces) {
      const found = traces.map(({ record: { id } }) => [id, spansOf.get(id) ?? []] as const);
      spansOf.clear();
      return new Map(found);
    },

    async *models() {
      for await (const page of pagesOf((query) => api.call(exportModels, { query }))) yield* page;
    },

    async artifacts(uri) {
      const folder = proxiedPathOf(uri);
      if (folder === undefined) return { keptAt: uri, why: 'bytes stay where they are' };
      return isOddFolder(folder) ? { keptAt: uri, why: whyOddFolder } : { files: filesBelow(folder) };
    },

    bytes,
    leftBehind: () => countLeftBehind(api),
    close: async () => undefined,
  };
}
