import { type ConformanceProtocol, supported } from './protocol.ts';

const labels = 'Refused with 400: name a version, or none.';

export const tensorflowServing = {
  title: 'TensorFlow Serving over REST, and KServe V1',
  about:
    'On the same port; each path is also reached behind `/projects/<project>`. Values are read as those of MLflow scoring are.',
  sections: [
    {
      title: 'Calls',
      rows: [
        { what: 'POST /v1/models/{model}[/versions/{version}]:predict', state: 'supported' },
        {
          what: 'GET /v1/models/{model}[/versions/{version}]',
          state: 'supported',
          note: "TensorFlow Serving's `model_version_status` beside KServe's `name` and `ready`. Versions that answer; a model that is being loaded is 503.",
        },
        { what: 'GET /v1/models/{model}[/versions/{version}]/metadata', state: 'supported' },
        { what: 'GET /v1/models', state: 'supported', note: 'Of the project, those that the caller may call.' },
        ...['classify', 'regress', 'explain'].map((verb) => ({
          what: `POST /v1/models/{model}[/versions/{version}]:${verb}`,
          state: 'not yet' as const,
          note: 'Refused with 400.',
        })),
        ...['predict', 'classify', 'regress'].map((verb) => ({
          what: `POST /v1/models/{model}/labels/{label}:${verb}`,
          state: 'not yet' as const,
          note: labels,
        })),
        { what: 'GET /v1/models/{model}/labels/{label}[/metadata]', state: 'not yet', note: labels },
      ],
    },
    {
      title: 'What a request may hold',
      rows: [
        ...supported(
          'instances: a list of rows, each a value or an object of inputs',
          'inputs: a value, or an object of inputs',
          'signature_name, when it is serving_default',
          'texts as {"b64"}',
        ),
        {
          what: 'a row as a list, in the order of the inputs',
          state: 'supported',
          note: 'As KServe has it; TensorFlow Serving takes it for the only input.',
        },
        {
          what: 'parameters',
          state: 'differs',
          note: 'Not of this protocol: `keys`, `event_times` and `subject`, as for `infer`.',
        },
      ],
    },
    {
      title: 'What an answer holds',
      rows: [
        ...supported(
          'predictions: for rows, a value each, or an object where there are several outputs',
          'outputs: for columns, the value, or an object where there are several outputs',
        ),
      ],
    },
    {
      title: 'What is refused, and how',
      about: 'Every refusal is `{"error": "<what, where and how to mend it>"}`.',
      rows: [
        ...supported(
          'neither instances nor inputs, or both: 400',
          'another signature_name: 400',
          'an input that is missing, or is of another shape: 400',
          'an unknown model or version: 404',
        ),
      ],
    },
  ],
} as const satisfies ConformanceProtocol;
