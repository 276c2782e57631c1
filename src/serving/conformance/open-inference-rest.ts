import { type ConformanceProtocol, supported } from './protocol.ts';

const managed =
  'Under `tidemill serve` as in Triton with explicit control: the model is read from its folder anew, and swapped without a failed request; a configuration or files in the request are 400. Under `tidemill up` refused with 400, since the deployments of `tidemill.yaml` say what is served. A model that is not there is 404.';
const unload =
  'Under `tidemill serve`, after the requests that it has are answered; nothing depends on a model, so `unload_dependents` changes nothing. Under `tidemill up` refused with 400.';
const settings = 'Refused with 400: they are set where the server is started.';
const sharedMemory = 'Refused with 400.';

/** The Open Inference Protocol v2 over HTTP, with the extensions of Triton and MLServer that their clients use. */
export const openInferenceRest = {
  title: 'Open Inference Protocol v2 over REST',
  about:
    'On the serving port (`--serving-port`, 7879). Each path is also reached behind `/projects/<project>`, which addresses a project; without it that is `default`. `{version}` is the version of the model; without one the traffic of the deployment decides.',
  sections: [
    {
      title: 'Calls',
      rows: [
        ...supported(
          'GET /v2',
          'GET /v2/health/live',
          'GET /v2/health/ready',
          'GET /v2/models/{model}[/versions/{version}]',
          'GET /v2/models/{model}[/versions/{version}]/ready',
        ),
        {
          what: 'POST /v2/models/{model}[/versions/{version}]/infer',
          state: 'supported',
          note: 'Every answer names its prediction (`x-tidemill-prediction-id`) and the revision that made it (`x-tidemill-revision`).',
        },
        {
          what: 'POST /v2/models/{model}[/versions/{version}]/infer_stream',
          state: 'supported',
          note: 'Server-sent events, one an answer of the model: with the runtimes of now there is one. JSON alone.',
        },
        {
          what: 'POST /v2/models/{model}[/versions/{version}]/generate',
          state: 'supported',
          note: "Keys are the model's inputs by name, each a value, a list or nested lists: the shape follows from the signature. Other scalars are parameters.",
        },
        {
          what: 'POST /v2/models/{model}[/versions/{version}]/generate_stream',
          state: 'supported',
          note: 'As `generate`, as server-sent events.',
        },
        {
          what: 'GET /v2/models/{model}[/versions/{version}]/config',
          state: 'supported',
          note: "What of Triton's configuration there is to say: names, types, dimensions, the greatest batch, which bounds what requests are put together to: a request with more rows is run as it is, which Triton refuses.",
        },
        {
          what: 'GET /v2/models/{model}[/versions/{version}]/stats',
          state: 'supported',
          note: 'Since the process started, without what shadows did. `batch_stats` has the runs by their rows, above 64 by the power of two that they reach, and of each only the time of the model.',
        },
        {
          what: 'GET /v2/models/stats',
          state: 'supported',
          note: 'Of the models of the project that the caller may call.',
        },
        {
          what: 'POST /v2/repository/index',
          state: 'supported',
          note: 'With `{"ready": true}` those that answer; an empty body is legal. Lists the models of the project that the caller may call; one without a version has none, and the reason.',
        },
        { what: 'POST /v2/repository/models/{model}/load', state: 'differs', note: managed },
        { what: 'POST /v2/repository/models/{model}/unload', state: 'differs', note: unload },
        { what: 'GET /v2/logging', state: 'supported' },
        { what: 'POST /v2/logging', state: 'differs', note: settings },
        { what: 'GET /v2/trace/setting', state: 'supported' },
        { what: 'POST /v2/trace/setting', state: 'differs', note: settings },
        { what: 'GET /v2/models/{model}/trace/setting', state: 'supported' },
        { what: 'POST /v2/models/{model}/trace/setting', state: 'differs', note: settings },
        ...['systemsharedmemory', 'cudasharedmemory'].flatMap((kind) =>
          [
            `GET /v2/${kind}[/region/{region}]/status`,
            `POST /v2/${kind}/region/{region}/register`,
            `POST /v2/${kind}[/region/{region}]/unregister`,
          ].map((what) => ({ what, state: 'not yet' as const, note: sharedMemory })),
        ),
      ],
    },
    {
      title: 'Calls of this server alone',
      about: 'Not behind `/projects/<project>`.',
      rows: [
        { what: 'GET /', state: 'supported', note: 'What this is, and the models that the caller may call.' },
        ...supported('GET /health/live', 'GET /health/ready'),
        { what: 'GET /metrics', state: 'supported', note: 'Prometheus, of the models that the caller may call.' },
      ],
    },
    {
      title: 'What a request may hold',
      rows: [
        ...supported('data nested by shape, or flat and row-major', 'zero rows'),
        {
          what: 'INT64 and UINT64 in JSON, exactly',
          state: 'supported',
          note: 'A client in JavaScript loses what is beyond 2^53 when it reads the answer; binary data keep it.',
        },
        {
          what: 'BYTES as texts, in JSON and as binary data',
          state: 'supported',
          note: 'Texts in UTF-8. One with U+0000 is refused with 400 by ONNX models, whose runtime would end it there.',
        },
        {
          what: 'BYTES that are no text, as binary data',
          state: 'supported',
          note: 'For models in Python, which are given `bytes`, and for programs; ONNX models take texts alone, and refuse others with 400. An answer in JSON that would have to hold some is 400, and says to ask for binary data. The prediction log keeps them exactly, in columns of their own.',
        },
        {
          what: 'null for NaN',
          state: 'differs',
          note: 'Where the signature says `nullable`, else 400. Answers have `null` for NaN and the infinities, since a bare `NaN` is no JSON; binary data carry all of them.',
        },
        {
          what: 'binary tensors',
          state: 'supported',
          note: 'Inputs in JSON and binary may be mixed, so may outputs. A header that is no number is 400, not a raw request as in Triton.',
        },
        { what: 'binary_data of an output, binary_data_output of all', state: 'supported' },
        {
          what: 'FP16 as binary data',
          state: 'supported',
          note: 'In JSON it is refused with 400; an output that is asked for in JSON is answered as FP32, which holds each of its values.',
        },
        {
          what: 'BF16 as binary data',
          state: 'supported',
          note: 'For models in Python, which are given float32 (PyTorch: bfloat16), and for programs; the ONNX runtime for Node.js has no such tensor, and a model that takes it does not load. JSON as for FP16.',
        },
        { what: 'outputs selected, in their order', state: 'supported' },
        {
          what: 'id, echoed',
          state: 'supported',
          note: 'Without one the answer has none; the record of the prediction then has the header `x-request-id`, else its own id.',
        },
        {
          what: 'parameters',
          state: 'supported',
          note: '`keys`, `event_times` and `subject` are recorded with the prediction; `timeout` and `priority` are those of Triton. Others are for models that take parameters, and else ignored.',
        },
        {
          what: 'a body in gzip or deflate',
          state: 'supported',
          note: 'The limit of a body holds for what is unpacked; another coding is 400.',
        },
        {
          what: 'an answer in gzip or deflate',
          state: 'differs',
          note: 'Where `Accept-Encoding` asks for it, and it pays: from 16 KiB on, when it comes out a tenth smaller at least.',
        },
        {
          what: 'classification of an output',
          state: 'supported',
          note: '`classification: n` answers the n greatest values as texts `<value>:<index>`; there are no labels. The record has the values.',
        },
        { what: 'shared memory for a tensor', state: 'not yet', note: 'Refused with 400.' },
        { what: 'sequence_id', state: 'not yet', note: 'Refused with 400.' },
      ],
    },
    {
      title: 'What is refused, and how',
      about:
        'Every refusal is `{"error": "<what, where and how to mend it>"}`. Who may call no model hears the same (401 or 403) of one that is there and of one that is not.',
      rows: [
        { what: 'an unknown model or version: 404', state: 'supported' },
        {
          what: 'a model that is being loaded, or failed to: 503 with Retry-After',
          state: 'differs',
          note: 'Triton answers 400. One that is declared and has no version yet is 404.',
        },
        {
          what: 'malformed JSON, a wrong JSON type, no inputs, texts or null in FP32: 400',
          state: 'differs',
          note: 'Triton answers 500, MLServer 422 or 500.',
        },
        {
          what: 'a shape unlike the length of the data: 400',
          state: 'differs',
          note: 'Triton and MLServer answer 500.',
        },
        { what: 'a wrong number of columns: 400', state: 'supported', note: 'MLServer answers 500.' },
        {
          what: 'a wrong datatype or name of an input: 400',
          state: 'supported',
          note: 'MLServer answers 200, as if it were right.',
        },
        { what: 'a negative dimension: 400', state: 'differs', note: 'Triton answers 500, MLServer 200.' },
        {
          what: 'an integer past its datatype: 400',
          state: 'differs',
          note: 'Triton and MLServer let it wrap: 300 in UINT8 becomes 44.',
        },
        { what: 'a shape of 2^45 values: 400', state: 'differs', note: 'It ends the process of Triton.' },
        {
          what: 'binary data unlike their shape, bytes left over, a header past the end or no number: 400',
          state: 'supported',
        },
        { what: 'a load of a model that is not there: 404', state: 'differs', note: 'Triton answers 500.' },
        { what: 'a wrong path: 404, a wrong method: 405', state: 'supported' },
        {
          what: 'a body over the limit, as it is or unpacked: 413',
          state: 'supported',
          note: '`--max-body-bytes` of the server (64 MiB), or less by `limits.max_body_bytes` of a deployment.',
        },
        {
          what: 'a full queue, a server that stops: 503 with Retry-After',
          state: 'supported',
        },
        {
          what: 'more requests than a caller may send: 429 with Retry-After',
          state: 'supported',
          note: 'Where the deployment limits the rate of each caller.',
        },
        {
          what: 'a request that waited too long for its model: 504',
          state: 'supported',
          note: 'As long as the deployment says, or as the parameter `timeout` does, in microseconds.',
        },
        { what: 'a model that fails: 500 without a stack', state: 'supported' },
        { what: 'no token, a wrong one, one that has ended: 401', state: 'supported' },
      ],
    },
  ],
} as const satisfies ConformanceProtocol;
