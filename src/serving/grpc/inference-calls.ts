import type { CallableEndpoints } from '../callable-endpoints.ts';
import { type ModelControl, namesOverride } from '../model-control.ts';
import { describeConfig, describeModel, listIndex, modelStatistics } from '../model-info.ts';
import { revisionOf } from '../model-versions.ts';
import { extensions, logSettings, traceSettingsOf } from '../server-settings.ts';
import { servingErrors } from '../serving-errors.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { addressOf, type GrpcCaller, modelNameOf } from './grpc-caller.ts';
import { grpcErrors } from './grpc-errors.ts';
import { dataTypeNumber, inferenceService } from './inference-messages.ts';
import type { Loose, MessageValue } from './proto-message.ts';

type Calls = (typeof inferenceService)['calls'];
type UnaryName = Exclude<keyof Calls, 'ModelInfer' | 'ModelStreamInfer'>;
type Handler<Name extends UnaryName> = (
  request: MessageValue<Calls[Name]['request']>,
  caller: GrpcCaller,
) => Loose<MessageValue<Calls[Name]['response']>> | Promise<Loose<MessageValue<Calls[Name]['response']>>>;
export type InferenceCalls = { readonly [Name in UnaryName]: Handler<Name> };

export interface InferenceCallsDeps {
  readonly endpoints: CallableEndpoints;
  readonly models: ModelControl;
  readonly programVersion: string;
  readonly unreadiness: () => string | undefined;
  readonly tracing: Tracing | undefined;
}

const versionOf = (version: string): string | undefined => (version === '' ? undefined : version);

/** Named so that the caller may ask for it by that name. */
const named = <Entry>(endpoint: { readonly project: string; readonly name: string }, entry: Entry) => ({
  ...entry,
  name: modelNameOf(endpoint),
});

const withNumber = <Tensor extends { readonly data_type: string }>(tensor: Tensor) => ({
  ...tensor,
  data_type: dataTypeNumber(tensor.data_type),
});

const sharedMemory = (): never => {
  throw grpcErrors.CALL_NOT_SUPPORTED('shared memory is not read: send tensors in raw_input_contents');
};

/** The calls of `inference.GRPCInferenceService` that tell of the server and its models. */
export function createInferenceCalls({
  endpoints,
  models,
  programVersion,
  unreadiness,
  tracing,
}: InferenceCallsDeps): InferenceCalls {
  const modelOf = (name: string, caller: GrpcCaller) => {
    const { project, model } = addressOf(name, caller);
    return endpoints.find(project, model, caller).endpoint;
  };
  return {
    ServerLive: () => ({ live: true }),
    ServerReady: () => ({ ready: unreadiness() === undefined }),
    ModelReady({ name, version }, caller) {
      const endpoint = modelOf(name, caller);
      if (endpoint.serving === undefined) return { ready: false };
      revisionOf(endpoint, versionOf(version));
      return { ready: true };
    },
    ServerMetadata: () => ({ name: 'tidemill', version: programVersion, extensions }),
    ModelMetadata: ({ name, version }, caller) => ({
      ...describeModel(modelOf(name, caller), versionOf(version)),
      name,
    }),
    ModelConfig({ name, version }, caller) {
      const config = describeConfig(modelOf(name, caller), versionOf(version));
      return {
        config: { ...config, name, input: config.input.map(withNumber), output: config.output.map(withNumber) },
      };
    },
    ModelStatistics({ name, version }, caller) {
      if (name !== '') {
        const endpoint = modelOf(name, caller);
        return { model_stats: modelStatistics(endpoint, versionOf(version)).map((entry) => named(endpoint, entry)) };
      }
      const serving = endpoints.list(caller).filter((endpoint) => endpoint.serving !== undefined);
      return {
        model_stats: serving.flatMap((endpoint) =>
          modelStatistics(endpoint, undefined).map((entry) => named(endpoint, entry)),
        ),
      };
    },
    RepositoryIndex: ({ ready }, caller) => ({
      models: endpoints
        .list(caller)
        .flatMap((endpoint) => listIndex([endpoint], ready, models.absence).map((entry) => named(endpoint, entry))),
    }),
    async RepositoryModelLoad({ model_name: name, parameters }, caller) {
      const { project, model } = addressOf(name, caller);
      if (models.byRequest && namesOverride(Object.keys(parameters))) throw servingErrors.MODEL_OVERRIDE_NOT_YET();
      await models.load(project, model, caller);
      return {};
    },
    async RepositoryModelUnload({ model_name: name }, caller) {
      const { project, model } = addressOf(name, caller);
      await models.unload(project, model, caller);
      return {};
    },
    SystemSharedMemoryStatus: sharedMemory,
    SystemSharedMemoryRegister: sharedMemory,
    SystemSharedMemoryUnregister: sharedMemory,
    CudaSharedMemoryStatus: sharedMemory,
    CudaSharedMemoryRegister: sharedMemory,
    CudaSharedMemoryUnregister: sharedMemory,
    TraceSetting({ settings, model_name: name }, caller) {
      if (name !== '') modelOf(name, caller);
      readOnly(settings, 'trace');
      return { settings: mapValues(traceSettingsOf(tracing !== undefined), (value) => ({ value: [value].flat() })) };
    },
    LogSettings({ settings }) {
      readOnly(settings, 'log');
      return { settings: mapValues(logSettings, toLogSetting) };
    },
  };
}

function mapValues<T, R>(record: Readonly<Record<string, T>>, map: (value: T) => R): Readonly<Record<string, R>> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

function toLogSetting(value: boolean | number | string) {
  if (typeof value === 'boolean') return { bool_param: value };
  return typeof value === 'number' ? { uint32_param: value } : { string_param: value };
}

function readOnly(settings: Readonly<Record<string, unknown>>, what: string): void {
  if (Object.keys(settings).length > 0)
    throw grpcErrors.CALL_NOT_SUPPORTED(
      `${what} settings are only read here; they are set where the server is started`,
    );
}
