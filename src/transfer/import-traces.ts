import {
  checkTraces,
  type FoundTrace,
  importTraces,
  type SpanRecord,
  type TraceRecord,
} from '#contracts/trace-transfer';
import { isOddPath, whyOddFolder } from './artifact-path.ts';
import { batchesOf } from './batches.ts';
import type { ImportState } from './import-state.ts';
import { toSpanRecords } from './mlflow-spans.ts';
import { type FileToSend, sendFiles } from './send-files.ts';
import { requireId, type Source, type SourceExperiment, type SourceFile, type SourceTrace } from './source.ts';
import type { TidemillApi } from './target-api.ts';
import { isTraceThere, spansFile, spansLocationTag } from './trace-words.ts';

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

/** Brings the traces of an experiment over; those that are here and have not changed since are passed by. */
export async function importTracesOf(
  { source, api, options, progress, noteNul, leave, step }: ImportState,
  { record: { id: givenId, name } }: SourceExperiment,
  experimentId: string,
): Promise<ImportedTraces> {
  const found: ImportedTraces = { traces: 0, spans: 0, differences: [], left: [] };
  const tell = (trace: string, what: string) => void found.differences.push(`trace ${trace} of "${name}" ${what}`);

  async function importPage(page: readonly SourceTrace[]): Promise<void> {
    const here = await checkAll(api, page);
    const open = page.filter((trace) => options.again || !isTraceThere(trace, here.get(trace.record.id)));
    const spans = await source.spans(open);
    const files: FileToSend[] = [];
    const records: TraceRecord[] = [];
    for (const trace of open) {
      const id = requireId('trace', trace.record.id);
      const own = options.artifacts && trace.artifactUri !== '' ? await filesOf(source, trace, leave) : [];
      const record = await toRecord(trace, spans.get(id) ?? [], own);
      const bytes = JSON.stringify(record).length;
      if (bytes >= largestBytes) {
        found.left.push(`trace ${id} of "${name}", which is larger than a request may be (${bytes} bytes of JSON)`);
        continue;
      }
      records.push({ ...record, experimentId });
      for (const file of own) files.push({ owner: id, folder: `${experimentId}/traces/${id}/artifacts`, file });
    }
    // before the records: a trace that is here is passed by the next time
    await sendFiles(api, toAsync(files), { progress, signal: options.signal });
    for (const batch of batchesOf(records, recordsAtOnce, noteNul('trace'))) {
      const { items } = await api.call(importTraces, { body: { traces: batch } });
      compare(batch, new Map(items.map((item) => [item.id, item])), tell);
      step();
    }
    for (const { spans: own } of records) found.spans += own.length;
    for (const trace of page) if (!open.includes(trace)) found.spans += here.get(trace.record.id)?.spans ?? 0;
    found.traces += page.length;
    progress.traces += page.length;
    progress.tracesPassedBy += page.length - open.length;
    step();
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

async function filesOf(
  source: Source,
  { record: { id }, artifactUri }: SourceTrace,
  leave: ImportState['leave'],
): Promise<readonly SourceFile[]> {
  const folder = await source.artifacts(artifactUri, id);
  if (!('files' in folder)) {
    if (folder.why === whyOddFolder) leave(`files of trace ${id} at ${artifactUri}: ${whyOddFolder}`);
    return [];
  }
  const files: SourceFile[] = [];
  for await (const file of folder.files)
    if (isOddPath(file.path)) leave(`the file ${JSON.stringify(file.path)} of trace ${id}, a name that no store takes`);
    else files.push(file);
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
