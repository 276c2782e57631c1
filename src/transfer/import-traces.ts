import {
  checkTraces,
  type FoundTrace,
  importTraces,
  type SpanRecord,
  type TraceRecord,
} from '#contracts/trace-transfer';
import { batchesOf } from './batches.ts';
import { toSpanRecords } from './mlflow-spans.ts';
import type { Progress } from './progress.ts';
import { type FileToSend, sendFiles } from './send-files.ts';
import type { ArtifactFolder, Source, SourceExperiment, SourceFile, SourceTrace } from './source.ts';
import type { TidemillApi } from './target-api.ts';
import { spansFile, spansLocationTag } from './trace-words.ts';

const recordsAtOnce = 100;
const idsAtOnce = 500;
/** Of JSON: what a server takes in one request, less what is around it. */
const largestBytes = 15 * 1024 * 1024;

export interface ImportedTraces {
  traces: number;
  spans: number;
  /** What is not here as it is at the source, in words. */
  readonly differences: string[];
  /** What cannot be brought over, in words. */
  readonly left: string[];
}

export interface TracesContext {
  /** False: bytes stay where they are, also spans that lie in a file. */
  readonly artifacts: boolean;
  /** Reads everything again, also what has not changed since it was brought over. */
  readonly again: boolean;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  readonly note: (trace: TraceRecord) => void;
  readonly step: () => void;
}

/** Brings the traces of an experiment over; those that are here and have not changed since are passed by. */
export async function importTracesOf(
  source: Source,
  api: TidemillApi,
  { record: { id: givenId, name } }: SourceExperiment,
  experimentId: string,
  context: TracesContext,
): Promise<ImportedTraces> {
  const found: ImportedTraces = { traces: 0, spans: 0, differences: [], left: [] };
  const tell = (trace: string, what: string) => void found.differences.push(`trace ${trace} of "${name}" ${what}`);

  async function importPage(page: readonly SourceTrace[]): Promise<void> {
    const here = await checkAll(api, page);
    const open = page.filter((trace) => context.again || !isHere(trace, here.get(trace.record.id)));
    const spans = await source.spans(open);
    const files: FileToSend[] = [];
    const records: TraceRecord[] = [];
    for (const trace of open) {
      const { id } = trace.record;
      const own = context.artifacts && trace.artifactUri !== '' ? await filesOf(source, trace.artifactUri) : [];
      for (const file of own) files.push({ owner: id, folder: `${experimentId}/traces/${id}/artifacts`, file });
      const record = await toRecord(trace, spans.get(id) ?? [], own);
      const bytes = JSON.stringify(record).length;
      if (bytes < largestBytes) records.push({ ...record, experimentId });
      else found.left.push(`trace ${id} of "${name}", which is larger than a request may be (${bytes} bytes of JSON)`);
    }
    for (const batch of batchesOf(records, recordsAtOnce, context.note)) {
      const { items } = await api.call(importTraces, { body: { traces: batch } });
      compare(batch, new Map(items.map((item) => [item.id, item])), tell);
      context.step();
    }
    await sendFiles(api, toAsync(files), { progress: context.progress, signal: context.signal });
    for (const { spans: own } of records) found.spans += own.length;
    for (const trace of page) if (!open.includes(trace)) found.spans += here.get(trace.record.id)?.spans ?? 0;
    found.traces += page.length;
    context.progress.traces += page.length;
    context.step();
  }

  for await (const page of source.traces(givenId)) await importPage(page);
  return found;
}

async function checkAll(api: TidemillApi, page: readonly SourceTrace[]): Promise<ReadonlyMap<string, FoundTrace>> {
  const here = new Map<string, FoundTrace>();
  for (let at = 0; at < page.length; at += idsAtOnce) {
    const ids = page.slice(at, at + idsAtOnce).map(({ record }) => record.id);
    for (const item of (await api.call(checkTraces, { body: { ids } })).items) here.set(item.id, item);
  }
  return here;
}

/** Whether everything that can change of a trace after it has ended is here as it is at the source. */
function isHere({ record, spans }: SourceTrace, here: FoundTrace | undefined): boolean {
  if (here === undefined || here.state !== record.state || record.state === 'IN_PROGRESS') return false;
  if (spans !== undefined && here.spans < spans) return false;
  const tags = new Map(here.tags.map(({ key, value }) => [key, value]));
  const said = new Map(here.assessments.map(({ id, updatedMs }) => [id, updatedMs]));
  return (
    record.tags.every(({ key, value }) => key === spansLocationTag || tags.get(key) === value) &&
    record.assessments.every(({ id, updatedMs }) => said.get(id) === updatedMs)
  );
}

async function filesOf(source: Source, uri: string): Promise<readonly SourceFile[]> {
  const folder: ArtifactFolder = await source.artifacts(uri);
  const files: SourceFile[] = [];
  if ('files' in folder) for await (const file of folder.files) files.push(file);
  return files;
}

/** Spans of a file become rows where the trace's id is that of its spans; else the file is all there is, as in MLflow 2. */
async function toRecord(
  { record }: SourceTrace,
  spans: readonly SpanRecord[],
  files: readonly SourceFile[],
): Promise<TraceRecord> {
  const file = files.find(({ path }) => path === spansFile);
  const fits = /^tr-[0-9a-f]{32}$/.test(record.id);
  const own = fits && spans.length === 0 && file !== undefined ? toSpanRecords(await readText(file)) : spans;
  if (!fits || own.length === 0) return { ...record, spans: [] };
  // where they lie is told by who keeps them
  return { ...record, tags: record.tags.filter(({ key }) => key !== spansLocationTag), spans: [...own] };
}

async function readText(file: SourceFile): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of await file.open()) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function compare(
  batch: readonly TraceRecord[],
  here: ReadonlyMap<string, FoundTrace>,
  tell: (trace: string, what: string) => void,
): void {
  for (const { id, state, spans, assessments } of batch) {
    const found = here.get(id);
    if (found === undefined) tell(id, 'is not here');
    else if (found.spans < spans.length) tell(id, `has ${found.spans} of ${spans.length} spans`);
    else if (found.assessments.length < assessments.length)
      tell(id, `has ${found.assessments.length} of ${assessments.length} assessments`);
    else if (found.state !== state) tell(id, `is ${found.state}, not ${state}`);
  }
}

async function* toAsync<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}
