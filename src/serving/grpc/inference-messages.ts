import { choice, many, mapOf, message, one } from './proto-message.ts';
import type { CallTable, ServiceDescription } from './proto-service.ts';

/**
 * The messages of `inference.GRPCInferenceService` as `inference.proto` beside this file has them; a test holds the two
 * together. Of Triton's model configuration there are the fields that mean something here.
 */
const full = (suffix: string): string => `inference.${suffix}`;
const nothing = (suffix: string) => message(full(suffix), {});
/** A model, and one of its versions or, when that is empty, the one that answers by itself. */
const aModel = (suffix: string) => message(full(suffix), { name: one(1, 'string'), version: one(2, 'string') });

const statisticDuration = message(full('StatisticDuration'), { count: one(1, 'uint64'), ns: one(2, 'uint64') });
const tensorMetadata = message(full('ModelMetadataResponse.TensorMetadata'), {
  name: one(1, 'string'),
  datatype: one(2, 'string'),
  shape: many(3, 'int64'),
});

const inferParameter = message(full('InferParameter'), {
  bool_param: choice('parameter_choice', 1, 'bool'),
  int64_param: choice('parameter_choice', 2, 'int64'),
  string_param: choice('parameter_choice', 3, 'string'),
  double_param: choice('parameter_choice', 4, 'double'),
  uint64_param: choice('parameter_choice', 5, 'uint64'),
});
const tensorContents = message(full('InferTensorContents'), {
  bool_contents: many(1, 'bool'),
  int_contents: many(2, 'int32'),
  int64_contents: many(3, 'int64'),
  uint_contents: many(4, 'uint32'),
  uint64_contents: many(5, 'uint64'),
  fp32_contents: many(6, 'float'),
  fp64_contents: many(7, 'double'),
  bytes_contents: many(8, 'bytes'),
});
const tensor = (suffix: string) =>
  message(full(suffix), {
    name: one(1, 'string'),
    datatype: one(2, 'string'),
    shape: many(3, 'int64'),
    parameters: mapOf(4, inferParameter),
    contents: one(5, tensorContents),
  });
const modelInferRequest = message(full('ModelInferRequest'), {
  model_name: one(1, 'string'),
  model_version: one(2, 'string'),
  id: one(3, 'string'),
  parameters: mapOf(4, inferParameter),
  inputs: many(5, tensor('ModelInferRequest.InferInputTensor')),
  outputs: many(
    6,
    message(full('ModelInferRequest.InferRequestedOutputTensor'), {
      name: one(1, 'string'),
      parameters: mapOf(2, inferParameter),
    }),
  ),
  raw_input_contents: many(7, 'bytes'),
});
const modelInferResponse = message(full('ModelInferResponse'), {
  model_name: one(1, 'string'),
  model_version: one(2, 'string'),
  id: one(3, 'string'),
  parameters: mapOf(4, inferParameter),
  outputs: many(5, tensor('ModelInferResponse.InferOutputTensor')),
  raw_output_contents: many(6, 'bytes'),
});

const dataType = {
  name: full('DataType'),
  values: {
    TYPE_INVALID: 0,
    TYPE_BOOL: 1,
    TYPE_UINT8: 2,
    TYPE_UINT16: 3,
    TYPE_UINT32: 4,
    TYPE_UINT64: 5,
    TYPE_INT8: 6,
    TYPE_INT16: 7,
    TYPE_INT32: 8,
    TYPE_INT64: 9,
    TYPE_FP16: 10,
    TYPE_FP32: 11,
    TYPE_FP64: 12,
    TYPE_STRING: 13,
    TYPE_BF16: 14,
  },
} as const;
/** Triton's number of a datatype by its name for it: `TYPE_FP32`. */
export const dataTypeNumber = (name: string): number =>
  Object.entries(dataType.values).find(([key]) => key === name)?.[1] ?? dataType.values.TYPE_INVALID;

const modelConfig = message(full('ModelConfig'), {
  name: one(1, 'string'),
  platform: one(2, 'string'),
  max_batch_size: one(4, 'int32'),
  input: many(
    5,
    message(full('ModelInput'), { name: one(1, 'string'), data_type: one(2, dataType), dims: many(4, 'int64') }),
  ),
  output: many(
    6,
    message(full('ModelOutput'), { name: one(1, 'string'), data_type: one(2, dataType), dims: many(3, 'int64') }),
  ),
  version_policy: one(
    3,
    message(full('ModelVersionPolicy'), {
      latest: choice(
        'policy_choice',
        1,
        message(full('ModelVersionPolicy.Latest'), { num_versions: one(1, 'uint32') }),
      ),
      specific: choice(
        'policy_choice',
        3,
        message(full('ModelVersionPolicy.Specific'), { versions: many(1, 'int64') }),
      ),
    }),
  ),
  dynamic_batching: choice(
    'scheduling_choice',
    11,
    message(full('ModelDynamicBatching'), { max_queue_delay_microseconds: one(2, 'uint64') }),
  ),
  model_transaction_policy: one(19, message(full('ModelTransactionPolicy'), { decoupled: one(1, 'bool') })),
  backend: one(17, 'string'),
});

const inferStatistics = message(full('InferStatistics'), {
  success: one(1, statisticDuration),
  fail: one(2, statisticDuration),
  queue: one(3, statisticDuration),
  compute_input: one(4, statisticDuration),
  compute_infer: one(5, statisticDuration),
  compute_output: one(6, statisticDuration),
  cache_hit: one(7, statisticDuration),
  cache_miss: one(8, statisticDuration),
});
const modelStatistics = message(full('ModelStatistics'), {
  name: one(1, 'string'),
  version: one(2, 'string'),
  last_inference: one(3, 'uint64'),
  inference_count: one(4, 'uint64'),
  execution_count: one(5, 'uint64'),
  inference_stats: one(6, inferStatistics),
  batch_stats: many(
    7,
    message(full('InferBatchStatistics'), {
      batch_size: one(1, 'uint64'),
      compute_input: one(2, statisticDuration),
      compute_infer: one(3, statisticDuration),
      compute_output: one(4, statisticDuration),
    }),
  ),
});

const repositoryParameter = message(full('ModelRepositoryParameter'), {
  bool_param: choice('parameter_choice', 1, 'bool'),
  int64_param: choice('parameter_choice', 2, 'int64'),
  string_param: choice('parameter_choice', 3, 'string'),
  bytes_param: choice('parameter_choice', 4, 'bytes'),
});
const modelIndex = message(full('RepositoryIndexResponse.ModelIndex'), {
  name: one(1, 'string'),
  version: one(2, 'string'),
  state: one(3, 'string'),
  reason: one(4, 'string'),
});
const repositoryModel = (suffix: string) =>
  message(full(suffix), {
    repository_name: one(1, 'string'),
    model_name: one(2, 'string'),
    parameters: mapOf(3, repositoryParameter),
  });

const traceValue = (call: string) => message(full(`${call}.SettingValue`), { value: many(1, 'string') });
const logValue = (call: string) =>
  message(full(`${call}.SettingValue`), {
    bool_param: choice('parameter_choice', 1, 'bool'),
    uint32_param: choice('parameter_choice', 2, 'uint32'),
    string_param: choice('parameter_choice', 3, 'string'),
  });

const sharedMemoryStatus = (suffix: string) => {
  const isCuda = suffix.startsWith('Cuda');
  const region = message(full(`${suffix}Response.RegionStatus`), {
    name: one(1, 'string'),
    ...(isCuda ? { device_id: one(2, 'uint64') } : { key: one(2, 'string'), offset: one(3, 'uint64') }),
    byte_size: one(isCuda ? 3 : 4, 'uint64'),
  });
  return {
    request: message(full(`${suffix}Request`), { name: one(1, 'string') }),
    response: message(full(`${suffix}Response`), { regions: mapOf(1, region) }),
  };
};
const sharedMemoryUnregister = (suffix: string) => ({
  request: message(full(`${suffix}Request`), { name: one(1, 'string') }),
  response: nothing(`${suffix}Response`),
});

/** Each call with what it takes and gives. */
const inferenceCalls = {
  ServerLive: {
    request: nothing('ServerLiveRequest'),
    response: message(full('ServerLiveResponse'), { live: one(1, 'bool') }),
  },
  ServerReady: {
    request: nothing('ServerReadyRequest'),
    response: message(full('ServerReadyResponse'), { ready: one(1, 'bool') }),
  },
  ModelReady: {
    request: aModel('ModelReadyRequest'),
    response: message(full('ModelReadyResponse'), { ready: one(1, 'bool') }),
  },
  ServerMetadata: {
    request: nothing('ServerMetadataRequest'),
    response: message(full('ServerMetadataResponse'), {
      name: one(1, 'string'),
      version: one(2, 'string'),
      extensions: many(3, 'string'),
    }),
  },
  ModelMetadata: {
    request: aModel('ModelMetadataRequest'),
    response: message(full('ModelMetadataResponse'), {
      name: one(1, 'string'),
      versions: many(2, 'string'),
      platform: one(3, 'string'),
      inputs: many(4, tensorMetadata),
      outputs: many(5, tensorMetadata),
    }),
  },
  ModelInfer: { request: modelInferRequest, response: modelInferResponse },
  ModelStreamInfer: {
    request: modelInferRequest,
    response: message(full('ModelStreamInferResponse'), {
      error_message: one(1, 'string'),
      infer_response: one(2, modelInferResponse),
    }),
    streams: 'both',
  },
  ModelConfig: {
    request: aModel('ModelConfigRequest'),
    response: message(full('ModelConfigResponse'), { config: one(1, modelConfig) }),
  },
  ModelStatistics: {
    request: aModel('ModelStatisticsRequest'),
    response: message(full('ModelStatisticsResponse'), { model_stats: many(1, modelStatistics) }),
  },
  RepositoryIndex: {
    request: message(full('RepositoryIndexRequest'), { repository_name: one(1, 'string'), ready: one(2, 'bool') }),
    response: message(full('RepositoryIndexResponse'), { models: many(1, modelIndex) }),
  },
  RepositoryModelLoad: {
    request: repositoryModel('RepositoryModelLoadRequest'),
    response: nothing('RepositoryModelLoadResponse'),
  },
  RepositoryModelUnload: {
    request: repositoryModel('RepositoryModelUnloadRequest'),
    response: nothing('RepositoryModelUnloadResponse'),
  },
  SystemSharedMemoryStatus: sharedMemoryStatus('SystemSharedMemoryStatus'),
  SystemSharedMemoryRegister: {
    request: message(full('SystemSharedMemoryRegisterRequest'), {
      name: one(1, 'string'),
      key: one(2, 'string'),
      offset: one(3, 'uint64'),
      byte_size: one(4, 'uint64'),
    }),
    response: nothing('SystemSharedMemoryRegisterResponse'),
  },
  SystemSharedMemoryUnregister: sharedMemoryUnregister('SystemSharedMemoryUnregister'),
  CudaSharedMemoryStatus: sharedMemoryStatus('CudaSharedMemoryStatus'),
  CudaSharedMemoryRegister: {
    request: message(full('CudaSharedMemoryRegisterRequest'), {
      name: one(1, 'string'),
      raw_handle: one(2, 'bytes'),
      device_id: one(3, 'int64'),
      byte_size: one(4, 'uint64'),
    }),
    response: nothing('CudaSharedMemoryRegisterResponse'),
  },
  CudaSharedMemoryUnregister: sharedMemoryUnregister('CudaSharedMemoryUnregister'),
  TraceSetting: {
    request: message(full('TraceSettingRequest'), {
      settings: mapOf(1, traceValue('TraceSettingRequest')),
      model_name: one(2, 'string'),
    }),
    response: message(full('TraceSettingResponse'), { settings: mapOf(1, traceValue('TraceSettingResponse')) }),
  },
  LogSettings: {
    request: message(full('LogSettingsRequest'), { settings: mapOf(1, logValue('LogSettingsRequest')) }),
    response: message(full('LogSettingsResponse'), { settings: mapOf(1, logValue('LogSettingsResponse')) }),
  },
} as const satisfies CallTable;

export const inferenceService = {
  file: 'inference.proto',
  package: 'inference',
  name: 'GRPCInferenceService',
  calls: inferenceCalls,
} as const satisfies ServiceDescription;
