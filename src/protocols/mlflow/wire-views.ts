import type { ModelVersion, RegisteredModel } from '#modules/registry';
import {
  type Experiment,
  type LoggedModel,
  type Run,
  type RunInfo,
  toRunDocument,
  toWireMetric,
} from '#modules/tracking';

/** Empty lists and absent values are left out, as protobuf's JSON does. */
export const list = <Item>(name: string, items: readonly Item[]) => (items.length === 0 ? {} : { [name]: items });

/** A workspace is a project. */
export const toWireExperiment = (experiment: Experiment, project: string) => ({
  experiment_id: experiment.experimentId,
  name: experiment.name,
  artifact_location: experiment.artifactLocation,
  lifecycle_stage: experiment.lifecycle,
  last_update_time: experiment.updatedMs,
  creation_time: experiment.createdMs,
  workspace: project,
  ...list('tags', experiment.tags),
});

export const toWireRunInfo = (info: RunInfo) => ({
  run_id: info.runId,
  run_uuid: info.runId,
  run_name: info.name,
  experiment_id: info.experimentId,
  user_id: info.userId,
  status: info.status,
  start_time: info.startMs,
  ...(info.endMs !== undefined && { end_time: info.endMs }),
  artifact_uri: info.artifactUri,
  lifecycle_stage: info.lifecycle,
});

export const toWireRun = ({ info, ...logged }: Run) => ({ info: toWireRunInfo(info), ...toRunDocument(logged) });

export const toWireLoggedModel = (model: LoggedModel) => ({
  info: {
    model_id: model.modelId,
    experiment_id: model.experimentId,
    name: model.name,
    creation_timestamp_ms: model.createdMs,
    last_updated_timestamp_ms: model.updatedMs,
    artifact_uri: model.artifactUri,
    status: model.status,
    ...(model.statusMessage !== '' && { status_message: model.statusMessage }),
    ...(model.modelType !== '' && { model_type: model.modelType }),
    ...(model.sourceRunId !== undefined && { source_run_id: model.sourceRunId }),
    ...list('tags', model.tags),
  },
  data: {
    ...list('params', model.params),
    ...list(
      'metrics',
      model.metrics.map((metric) => ({
        ...toWireMetric(metric),
        model_id: model.modelId,
        run_id: metric.runId,
        ...(metric.datasetName !== '' && { dataset_name: metric.datasetName, dataset_digest: metric.datasetDigest }),
      })),
    ),
  },
});

/** Where the files of a version lie that a pipeline proposed: served read-only by the artifact proxy. */
export const registryFilesFolder = 'registry-files';
export const registryFilesUri = ({ model, version }: ModelVersion) =>
  `mlflow-artifacts:/${registryFilesFolder}/${encodeURIComponent(model)}/${version}`;

export const toWireVersion = (version: ModelVersion, withAliases = true) => ({
  name: version.model,
  version: String(version.version),
  creation_timestamp: version.createdMs,
  last_updated_timestamp: version.updatedMs,
  current_stage: version.stage,
  description: version.description,
  source: version.source || registryFilesUri(version),
  run_id: version.trackingRunId ?? '',
  ...(version.runLink !== '' && { run_link: version.runLink }),
  ...(version.loggedModelId !== undefined && { model_id: version.loggedModelId }),
  status: 'READY',
  ...list('tags', version.tags),
  ...(withAliases && list('aliases', version.aliases)),
});

export const toWireModel = (model: RegisteredModel, latest: readonly ModelVersion[]) => ({
  name: model.name,
  creation_timestamp: model.createdMs,
  last_updated_timestamp: model.updatedMs,
  ...(model.description !== '' && { description: model.description }),
  ...list(
    'latest_versions',
    latest.map((version) => toWireVersion(version)),
  ),
  ...list('tags', model.tags),
  ...list(
    'aliases',
    model.aliases.map(({ alias, version }) => ({ alias, version: String(version) })),
  ),
});
