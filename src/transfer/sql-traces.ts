import type { AssessmentRecord, SpanRecord } from '#contracts/trace-transfer';
import { toSpanRecord } from './mlflow-spans.ts';
import type { Source, SourceTrace } from './source.ts';
import type { Row, SqlConnection } from './sql-connection.ts';
import { isTrue, number, optional, type SqlTables, text, toPairs } from './sql-tables.ts';
import {
  artifactLocationTag,
  costKey,
  parseOr,
  parseSpanJson,
  sessionKey,
  toAssessmentError,
  toTexts,
  traceNameTag,
  traceState,
  usageKey,
} from './trace-words.ts';

const tracesAtOnce = 100;

const traceColumns = [
  'request_id', 'experiment_id', 'timestamp_ms', 'execution_time_ms', 'status', 'client_request_id', 'request_preview',
  'response_preview', 'trace_name', 'session_id', 'input_tokens', 'output_tokens', 'total_tokens',
  'cache_read_input_tokens', 'cache_creation_input_tokens', 'input_cost', 'output_cost', 'total_cost',
]; // biome-ignore format: a list of columns
const assessmentColumns = [
  'assessment_id', 'name', 'assessment_type', 'value', 'error', 'created_timestamp', 'last_updated_timestamp',
  'source_type', 'source_id', 'span_id', 'rationale', 'overrides', 'valid', 'assessment_metadata',
]; // biome-ignore format: a list of columns
const kinds = ['feedback', 'expectation', 'issue'] as const;

/** What newer versions keep in columns and clients know as tags and metadata. */
function columnPairs(row: Row): { readonly tags: [string, string][]; readonly metadata: [string, string][] } {
  const together = (columns: readonly string[]) =>
    JSON.stringify(
      Object.fromEntries(columns.flatMap((name) => (row[name] === null ? [] : [[name, number(row[name])]]))),
    );
  const usage = together([
    'input_tokens',
    'output_tokens',
    'total_tokens',
    'cache_read_input_tokens',
    'cache_creation_input_tokens',
  ]);
  const cost = together(['input_cost', 'output_cost', 'total_cost']);
  return {
    tags: row['trace_name'] === null ? [] : [[traceNameTag, text(row['trace_name'])]],
    metadata: [
      ...(row['session_id'] === null ? [] : [[sessionKey, text(row['session_id'])] as [string, string]]),
      ...(usage === '{}' ? [] : [[usageKey, usage] as [string, string]]),
      ...(cost === '{}' ? [] : [[costKey, cost] as [string, string]]),
    ],
  };
}

const withColumns = (pairs: SourceTrace['record']['tags'], columns: readonly [string, string][]) => [
  ...pairs.filter(({ key }) => !columns.some(([name]) => name === key)),
  ...columns.map(([key, value]) => ({ key, value })),
];

function toAssessment(row: Row): AssessmentRecord {
  const kind = kinds.find((one) => one === row['assessment_type']) ?? 'feedback';
  const value = parseOr(text(row['value']));
  const issue = value as { readonly issue_name?: unknown } | null | undefined;
  const error = toAssessmentError(parseOr(text(row['error'])));
  return {
    id: text(row['assessment_id']),
    kind,
    name: text(row['name']),
    value: kind === 'issue' && typeof issue?.issue_name === 'string' ? issue.issue_name : (value ?? null),
    ...(error && { error }),
    sourceType: text(row['source_type']),
    sourceId: text(row['source_id']),
    ...(optional(row['rationale']) !== undefined && { rationale: text(row['rationale']) }),
    ...(optional(row['assessment_metadata']) !== undefined && {
      metadata: toTexts(parseOr(text(row['assessment_metadata']))),
    }),
    ...(optional(row['span_id']) !== undefined && { spanId: text(row['span_id']) }),
    ...(optional(row['overrides']) !== undefined && { overrides: text(row['overrides']) }),
    valid: row['valid'] === null || isTrue(row['valid']),
    createdMs: number(row['created_timestamp']),
    updatedMs: number(row['last_updated_timestamp']),
  };
}

/** Traces of MLflow's database; versions before 3.4 keep their spans in a file. */
export function createSqlTraces(
  connection: SqlConnection,
  tables: ReadonlyMap<string, ReadonlySet<string>>,
  { select, rows, rowsOf }: Pick<SqlTables, 'select' | 'rows' | 'rowsOf'>,
): Pick<Source, 'traces' | 'spans'> {
  async function countSpans(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (!tables.has('spans')) return new Map();
    const list = connection.inList('trace_id', ids);
    const sql = `select trace_id, count(*) as spans from spans where ${list.sql} group by trace_id`;
    const found = await connection.all(sql, [list.value]);
    return new Map(found.map((row) => [text(row['trace_id']), number(row['spans'])]));
  }

  async function toTraces(found: readonly Row[]): Promise<SourceTrace[]> {
    const ids = found.map((row) => text(row['request_id']));
    const tags = await rowsOf('trace_tags', 'request_id', ['key', 'value'], ids, 't.key');
    const metadata = await rowsOf('trace_request_metadata', 'request_id', ['key', 'value'], ids, 't.key');
    const assessments = await rowsOf('assessments', 'trace_id', assessmentColumns, ids, 't.created_timestamp');
    const spans = await countSpans(ids);
    return found.map((row): SourceTrace => {
      const id = text(row['request_id']);
      const columns = columnPairs(row);
      const own = toPairs(tags(id));
      return {
        record: {
          id,
          experimentId: text(row['experiment_id']),
          ...(row['client_request_id'] !== null && { clientRequestId: text(row['client_request_id']) }),
          state: traceState(text(row['status'])),
          requestMs: number(row['timestamp_ms']),
          ...(row['execution_time_ms'] !== null && { durationMs: number(row['execution_time_ms']) }),
          ...(row['request_preview'] !== null && { requestPreview: text(row['request_preview']) }),
          ...(row['response_preview'] !== null && { responsePreview: text(row['response_preview']) }),
          tags: withColumns(
            own.filter(({ key }) => key !== artifactLocationTag),
            columns.tags,
          ),
          metadata: withColumns(toPairs(metadata(id)), columns.metadata),
          assessments: assessments(id).map(toAssessment),
        },
        artifactUri: own.find(({ key }) => key === artifactLocationTag)?.value ?? '',
        spans: spans.get(id) ?? 0,
      };
    });
  }

  return {
    async *traces(experimentId) {
      for (let after = ''; ; ) {
        const rest = `where t.experiment_id = ? and t.request_id > ? order by t.request_id limit ${tracesAtOnce}`;
        const found = await rows(select('trace_info', traceColumns, rest), [Number(experimentId), after]);
        if (found.length > 0) yield await toTraces(found);
        if (found.length < tracesAtOnce) return;
        after = text(found.at(-1)?.['request_id']);
      }
    },

    async spans(traces) {
      const ids = traces.filter(({ spans }) => spans !== 0).map(({ record }) => record.id);
      const found = await rowsOf('spans', 'trace_id', ['content'], ids, 't.start_time_unix_nano');
      const spansOf = (id: string): SpanRecord[] =>
        found(id).flatMap((row) => toSpanRecord(parseSpanJson(text(row['content']))) ?? []);
      return new Map(ids.map((id) => [id, spansOf(id)]));
    },
  };
}
