import type { PipelineSpec } from '#contracts/pipelines';
import type { ResourceKind } from '#platform/resource-kind';
import { checkPipeline } from './pipeline-check.ts';
import { deletePipeline, listPipelines, putCode, upsertPipeline } from './pipelines-store.ts';

/** `pipelines:` in tidemill.yaml. */
export const pipelinesKind: ResourceKind<PipelineSpec> = {
  section: 'pipelines',
  kind: 'pipeline',
  async current(reader, project) {
    return new Map((await listPipelines(reader, project)).map(({ name, spec }) => [name, spec]));
  },
  check: (_name, spec, document) => checkPipeline(spec, document),
  async apply(unit, project, { name, after }) {
    if (after === undefined) await deletePipeline(unit, project, name);
    else await upsertPipeline(unit, project, name, after);
  },
  applySnapshot: (unit, project, snapshot) => putCode(unit, project, snapshot.digest, snapshot.files),
};
