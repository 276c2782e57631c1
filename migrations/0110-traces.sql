-- traces: what an application did for one request, span by span, and what people and judges said of it

create table traces_traces (
  project text not null,
  -- made by the client: `tr-<32 hexadecimal digits>`, so that two projects may hold the same one
  trace_id text not null,
  experiment_id bigint not null,
  client_request_id text,
  name text,
  state text not null check (state in ('STATE_UNSPECIFIED', 'OK', 'ERROR', 'IN_PROGRESS')),
  request_ms bigint not null,
  duration_ms bigint,
  request_preview text,
  response_preview text,
  session_id text,
  -- the client has told the whole trace: from then on spans do not change what it said
  told smallint not null check (told in (0, 1)),
  -- where its files lie: attachments, and the spans of clients that upload them as one file
  artifact_uri text not null,
  -- counted from the spans, or as the client told
  input_tokens bigint,
  output_tokens bigint,
  total_tokens bigint,
  cache_read_tokens bigint,
  cache_creation_tokens bigint,
  created_ms bigint not null,
  primary key (project, trace_id)
);
create index traces_traces_by_time on traces_traces (project, experiment_id, request_ms desc, trace_id);
create index traces_traces_by_session on traces_traces (project, session_id, request_ms) where session_id is not null;

create table traces_spans (
  project text not null,
  trace_id text not null,
  -- 16 hexadecimal digits
  span_id text not null,
  parent_span_id text,
  name text not null,
  type text not null,
  status text not null check (status in ('UNSET', 'OK', 'ERROR')),
  -- microseconds: nanoseconds do not fit into a number that programs hold exactly; `content` has them
  start_us bigint not null,
  end_us bigint,
  model text,
  provider text,
  usage_json text,
  input_cost double precision,
  output_cost double precision,
  total_cost double precision,
  -- the whole span (span-content.ts), also what its text is searched in
  content text not null,
  primary key (project, trace_id, span_id),
  foreign key (project, trace_id) references traces_traces (project, trace_id) on delete cascade
);
create index traces_spans_by_name on traces_spans (project, name, trace_id);
create index traces_spans_by_type on traces_spans (project, type, trace_id);

create table traces_assessments (
  project text not null,
  trace_id text not null,
  assessment_id text not null,
  kind text not null check (kind in ('feedback', 'expectation', 'issue')),
  name text not null,
  -- what was said, as JSON; for a filter also as a text and, when it is one, as a number
  value_json text,
  value_text text,
  value_number double precision,
  error_json text,
  source_type text not null,
  source_id text not null,
  rationale text,
  metadata_json text,
  span_id text,
  -- the assessment that this one replaces
  overrides text,
  valid smallint not null check (valid in (0, 1)),
  created_ms bigint not null,
  updated_ms bigint not null,
  primary key (project, trace_id, assessment_id),
  foreign key (project, trace_id) references traces_traces (project, trace_id) on delete cascade
);
create index traces_assessments_by_name on traces_assessments (project, kind, name, trace_id);
