import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { MlrunsFiles } from './mlruns-files.ts';
import type { SourceTrace } from './source.ts';
import { toAssessmentRecord, toSourceTrace } from './trace-json.ts';

/*
 * <experiment>/traces/<trace>/{trace_info.yaml, tags/, request_metadata/ or trace_metadata/, assessments/<id>.yaml,
 * artifacts/traces.json}
 */

const tracesAtOnce = 100;

async function toTrace(
  { readMeta, keysOf, pairsOf }: MlrunsFiles,
  folder: string,
  experimentId: string,
): Promise<SourceTrace | undefined> {
  const info = await readMeta(folder, 'trace_info.yaml');
  if (info === undefined) return undefined;
  const assessments = [];
  for (const name of await keysOf(join(folder, 'assessments'))) {
    const found = await readMeta(join(folder, 'assessments'), name);
    if (found !== undefined) assessments.push(toAssessmentRecord(found));
  }
  const trace = toSourceTrace({ ...info, tags: await pairsOf(join(folder, 'tags')) }, experimentId);
  const metadata = [
    ...(await pairsOf(join(folder, 'request_metadata'))),
    ...(await pairsOf(join(folder, 'trace_metadata'))),
  ];
  const artifacts = join(folder, 'artifacts');
  return {
    ...trace,
    // a store that was moved names the place where it was
    artifactUri: existsSync(artifacts) ? artifacts : trace.artifactUri,
    record: { ...trace.record, metadata, assessments: assessments.toSorted((a, b) => a.createdMs - b.createdMs) },
  };
}

export async function* tracesIn(
  files: MlrunsFiles,
  folder: string,
  experimentId: string,
): AsyncGenerator<readonly SourceTrace[]> {
  let page: SourceTrace[] = [];
  for (const name of await files.foldersOf(folder)) {
    const trace = await toTrace(files, join(folder, name), experimentId);
    if (trace !== undefined) page.push(trace);
    if (page.length < tracesAtOnce) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}
