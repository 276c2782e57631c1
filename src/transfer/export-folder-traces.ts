import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FolderTarget, uriOf } from './export-folder-target.ts';
import { toPythonYaml } from './python-yaml.ts';
import { requireId } from './source.ts';
import { toFileSpan, toMlflowAssessment, toMlflowInfo } from './trace-to-mlflow.ts';
import { artifactLocationTag, spansFile, spansLocationTag } from './trace-words.ts';

/** Writes the traces of an experiment; `mlruns-traces.ts` has the layout. */
export async function writeTraces(target: FolderTarget, experimentId: string, base: string): Promise<void> {
  const { source, progress, step } = target;
  for await (const page of source.traces(experimentId)) {
    const spans = await source.spans(page);
    for (const { record, artifactUri } of page) {
      const own = join(base, 'traces', requireId('trace', record.id));
      const artifacts = join(own, 'artifacts');
      const owner = `trace ${record.id}`;
      const place = { key: artifactLocationTag, value: uriOf(artifacts) };
      const tags = record.tags.filter(({ key }) => key !== spansLocationTag);
      await target.writePairs(join(own, 'tags'), [...tags, place], owner);
      await target.writePairs(join(own, 'request_metadata'), record.metadata, owner);
      await mkdir(join(own, 'assessments'), { recursive: true });
      for (const one of record.assessments)
        await writeFile(
          join(own, 'assessments', `${requireId('assessment', one.id)}.yaml`),
          toPythonYaml(toMlflowAssessment(record.id, one)),
        );
      await target.writeFiles(artifactUri, record.id, artifacts);
      const lines = (spans.get(record.id) ?? []).map((span) => toFileSpan(record.id, span));
      await mkdir(artifacts, { recursive: true });
      if (lines.length > 0) await writeFile(join(artifacts, spansFile), `{"spans": [${lines.join(', ')}]}`);
      // a duration is in milliseconds in this file, and in this one alone
      const { execution_duration, ...info } = toMlflowInfo(record, experimentId);
      const duration = execution_duration === undefined ? {} : { execution_duration_ms: record.durationMs };
      await writeFile(join(own, 'trace_info.yaml'), toPythonYaml({ ...info, ...duration }));
      progress.traces += 1;
      step();
    }
  }
}
