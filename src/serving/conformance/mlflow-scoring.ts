import { type ConformanceProtocol, supported } from './protocol.ts';

export const mlflowScoring = {
  title: 'MLflow scoring',
  about:
    'What `mlflow models serve` and `mlflow.deployments` have, on the same port. The signature of the model is enforced while the table is read, in one pass. A table fills inputs of one value a row ([-1], [-1, 1]) by their names; an input [-1, n] by the names of its `columns` where the signature has them, else by position.',
  sections: [
    {
      title: 'Calls',
      rows: [
        {
          what: 'POST /endpoints/{model}/invocations',
          state: 'supported',
          note: 'Also behind `/projects/<project>`; what `mlflow.deployments.get_deploy_client("<url of the server>")` posts to. The answer names its prediction and revision as those of `infer` do.',
        },
        {
          what: 'POST /invocations',
          state: 'differs',
          note: 'Where the caller may call exactly one model. Else it is refused with 400 and told the paths of those that there are.',
        },
        {
          what: 'GET /ping',
          state: 'differs',
          note: 'The process is ready; and where the caller may call one model, that one answers. Else 503, where MLflow has 404.',
        },
        { what: 'GET /health', state: 'differs', note: 'As `/ping`.' },
        { what: 'GET /version', state: 'supported', note: 'The version of MLflow that this answers like.' },
      ],
    },
    {
      title: 'What a request may hold',
      rows: [
        ...supported(
          'dataframe_split: columns in any order, more of them, an index',
          'dataframe_records',
          'inputs: a tensor, or one by name',
          'inputs: a list of records, or one value',
          'instances: rows, or records',
        ),
        {
          what: 'CSV with a header',
          state: 'differs',
          note: 'Also for a model that takes a matrix. Only an empty cell without quotes is no text: `NA` is one. A line with more or fewer cells than the header is refused.',
        },
        {
          what: 'a table without names of columns',
          state: 'differs',
          note: 'Is read by position, when it has as many columns as the model: MLflow refuses it where the signature has names.',
        },
        {
          what: 'a column that may be absent',
          state: 'differs',
          note: 'Where the signature says `optional`; the model is given null for all its rows, where MLflow leaves it out.',
        },
        {
          what: 'integers as floats, whole numbers as integers, true and false as 1 and 0',
          state: 'supported',
        },
        { what: 'INT64, exactly', state: 'supported' },
        {
          what: 'null for NaN',
          state: 'differs',
          note: 'Where the signature says `nullable`, as for every other call; MLflow takes it for any float.',
        },
        {
          what: 'params',
          state: 'differs',
          note: '`keys`, `event_times` and `subject` are recorded with the prediction, as `parameters` of `infer` are; what is not known is ignored without a warning.',
        },
        { what: 'other fields beside the table, ignored', state: 'supported' },
        {
          what: 'a content type with charset=utf-8',
          state: 'supported',
          note: 'A body without a type is read as JSON.',
        },
        { what: 'Parquet', state: 'not yet', note: 'Refused with 415.' },
        {
          what: 'chat messages, and models that take them',
          state: 'not yet',
          note: 'Refused with 400: no model takes them yet.',
        },
        {
          what: 'lists, objects and bytes in a column',
          state: 'not yet',
          note: 'Refused with 400; an input of several values a row takes lists.',
        },
      ],
    },
    {
      title: 'What an answer holds',
      rows: [
        ...supported(
          'predictions: a list for an output of one dimension, nested lists for one of more',
          'predictions: records where the model has several outputs',
        ),
        { what: 'null for NaN in an answer', state: 'differs', note: 'MLflow writes a bare `NaN`, which is no JSON.' },
      ],
    },
    {
      title: 'What is refused, and how',
      about:
        'Every refusal is `{"error_code", "message"}` as MLflow has it, with a status that says what it is; never with a stack, nor with what was sent.',
      rows: [
        {
          what: 'none of the four forms, or more than one: 400',
          state: 'supported',
        },
        {
          what: 'a column that is missing: 400',
          state: 'supported',
          note: 'With its name, and the nearest that is there.',
        },
        {
          what: 'a fraction where the model takes integers: 400',
          state: 'differs',
          note: "MLflow's server cuts 1.5 to 1.",
        },
        {
          what: 'a number past its datatype: 400',
          state: 'differs',
          note: "MLflow's server lets 3000000000 wrap to -1294967296, and 1e400 become infinite.",
        },
        {
          what: 'a text where the model takes numbers, a number where it takes texts: 400',
          state: 'differs',
          note: 'MLflow\'s server reads `"1"` as 1, and hands the model numbers among texts.',
        },
        {
          what: 'malformed JSON: 400, without repeating it',
          state: 'differs',
          note: 'MLflow sends the body back in its message.',
        },
        { what: 'an empty body: 400', state: 'differs', note: 'MLflow answers 500.' },
        { what: 'another content type, or charset: 415', state: 'supported' },
        { what: 'a model that fails: 500 without a stack', state: 'differs', note: 'MLflow answers 400 with a stack.' },
        { what: 'an unknown model: 404', state: 'supported' },
        { what: 'no token: 401', state: 'supported' },
      ],
    },
  ],
} as const satisfies ConformanceProtocol;
