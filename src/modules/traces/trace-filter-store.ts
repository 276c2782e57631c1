import { type RawBuilder, sql } from 'kysely';
import type { Comparison, Ordering } from '#modules/tracking';
import type { Reader } from '#platform/database';
import { inList, toNumberParameter } from '#platform/sql';
import { compilePattern } from './text-pattern.ts';
import { metadataKeys, tagKeys } from './trace-keys.ts';
import { tracesErrors } from './traces-errors.ts';
import type { AssessmentKind, PairKind, TracesTables } from './traces-tables.ts';

/*
 * The filter grammar of traces (its syntax is tracking's search-grammar.ts) as SQL over `traces_traces`:
 *
 *   [attribute.|trace.]status | timestamp_ms | execution_time_ms | end_time_ms | name | request_id | client_request_id
 *   | run_id | prompt | text      tag.<key>   metadata.<key>   feedback.<name>   expectation.<name>   issue.id
 *   span.name | span.type | span.status | span.content | span.attributes.<key>
 *
 * Conditions on spans hold for one and the same span. What was never written matches only IS NULL.
 */
const invalid = tracesErrors.TRACE_FILTER_INVALID;
const maxComparisons = 50;
const maxTexts = 100_000;
const maxCharacters = 50_000_000;

type Sql = RawBuilder<unknown>;

/** What is searched: traces of a project, of some of its experiments. */
export interface SearchScope {
  readonly project: string;
  readonly experimentIds: readonly number[];
}

const groups: Readonly<Record<string, 'attribute' | PairKind | 'span' | AssessmentKind>> = {
  attribute: 'attribute',
  attributes: 'attribute',
  trace: 'attribute',
  tag: 'tag',
  tags: 'tag',
  metadata: 'metadata',
  request_metadata: 'metadata',
  span: 'span',
  feedback: 'feedback',
  expectation: 'expectation',
  issue: 'issue',
};

const numbers: Readonly<Record<string, Sql>> = {
  timestamp_ms: sql`traces_traces.request_ms`,
  timestamp: sql`traces_traces.request_ms`,
  request_time: sql`traces_traces.request_ms`,
  execution_time_ms: sql`traces_traces.duration_ms`,
  execution_time: sql`traces_traces.duration_ms`,
  execution_duration: sql`traces_traces.duration_ms`,
  end_time_ms: sql`(traces_traces.request_ms + coalesce(traces_traces.duration_ms, 0))`,
  end_time: sql`(traces_traces.request_ms + coalesce(traces_traces.duration_ms, 0))`,
};
const texts: Readonly<Record<string, string>> = {
  status: 'traces_traces.state',
  state: 'traces_traces.state',
  name: 'traces_traces.name',
  request_id: 'traces_traces.trace_id',
  trace_id: 'traces_traces.trace_id',
  client_request_id: 'traces_traces.client_request_id',
};
const others = ['run_id', 'prompt', 'text'];
/** Kept as columns: a name and a session are what traces are mostly found by. */
const columnsOfPairs: Readonly<Record<string, string>> = {
  [`tag.${tagKeys.name}`]: 'traces_traces.name',
  [`metadata.${metadataKeys.session}`]: 'traces_traces.session_id',
};

const signs = { '=': sql`=`, '!=': sql`<>`, '<': sql`<`, '<=': sql`<=`, '>': sql`>`, '>=': sql`>=` } as const;
const isSign = (operator: string): operator is keyof typeof signs => Object.hasOwn(signs, operator);

const nameOf = ({ group, key }: Comparison | Ordering) => (group === undefined ? key : `${group}.${key}`);

function requireOperator(comparison: Comparison, allowed: readonly Comparison['operator'][]): void {
  if (!allowed.includes(comparison.operator))
    throw invalid(
      `Invalid comparator '${comparison.operator}' for '${nameOf(comparison)}': it is one of ${allowed.join(', ')}`,
    );
}

function requireText(comparison: Comparison): string {
  if (typeof comparison.value === 'string') return comparison.value;
  throw invalid(
    `Expected a quoted string value for '${nameOf(comparison)}' (e.g. 'my-value'). Got value ${JSON.stringify(comparison.value)}`,
  );
}

function requireNumber(comparison: Comparison): number {
  if (typeof comparison.value === 'number') return comparison.value;
  throw invalid(`Expected numeric value type for '${nameOf(comparison)}'. Found ${JSON.stringify(comparison.value)}`);
}

/** MLflow's patterns know `%` and `_` and no escape. */
function matchesLike(reader: Reader, column: Sql, pattern: string): Sql {
  if (reader.dialect === 'postgres') return sql`${column} like ${pattern} escape ''`;
  const glob = pattern
    .replaceAll(/[[*?]/g, (character) => `[${character}]`)
    .replaceAll('%', '*')
    .replaceAll('_', '?');
  return sql`${column} glob ${glob}`;
}

function matchesIlike(reader: Reader, column: Sql, pattern: string): Sql {
  const escaped = pattern.replaceAll('\\', '\\\\');
  return reader.dialect === 'sqlite'
    ? sql`${column} like ${escaped} escape '\\'`
    : sql`${column} ilike ${escaped} escape '\\'`;
}

function isOneOf(reader: Reader, column: Sql, values: readonly string[]): Sql {
  return reader.dialect === 'sqlite'
    ? sql`${column} in (select value from json_each(${JSON.stringify(values)}))`
    : sql`${column} = any(${values})`;
}

/** The texts that a pattern was found in, for each comparison by RLIKE: looked up before the search itself. */
type Matches = ReadonlyMap<Comparison, readonly string[]>;

interface Compiler {
  readonly reader: Reader;
  readonly scope: SearchScope;
  readonly matches: Matches;
}

const textual: readonly Comparison['operator'][] = ['=', '!=', 'LIKE', 'ILIKE', 'RLIKE'];
const listed: readonly Comparison['operator'][] = [...textual, 'IN', 'NOT IN'];
const nullable: readonly Comparison['operator'][] = [...textual, 'IS NULL', 'IS NOT NULL'];

function compareText({ reader, matches }: Compiler, column: Sql, comparison: Comparison): Sql {
  const { operator, value } = comparison;
  if (operator === 'IS NULL') return sql`${column} is null`;
  if (operator === 'IS NOT NULL') return sql`${column} is not null`;
  if (operator === 'RLIKE') return isOneOf(reader, column, matches.get(comparison) ?? []);
  if ((operator === 'IN' || operator === 'NOT IN') && typeof value === 'object') {
    const inside = isOneOf(reader, column, value);
    return operator === 'IN' ? inside : sql`not (${inside})`;
  }
  const text = requireText(comparison);
  if (operator === 'LIKE') return matchesLike(reader, column, text);
  if (operator === 'ILIKE') return matchesIlike(reader, column, text);
  return operator === '!=' ? sql`${column} <> ${text}` : sql`${column} = ${text}`;
}

const ofTrace = (table: string): Sql =>
  sql`${sql.ref(`${table}.project`)} = traces_traces.project and ${sql.ref(`${table}.trace_id`)} = traces_traces.trace_id`;

function comparePair(compiler: Compiler, kind: PairKind, comparison: Comparison): Sql {
  requireOperator(comparison, nullable);
  const { key, operator } = comparison;
  const column = columnsOfPairs[`${kind}.${key}`];
  if (column !== undefined) return compareText(compiler, sql.ref(column), comparison);
  const exists = (condition: Sql) =>
    sql`exists (select 1 from traces_pairs where ${ofTrace('traces_pairs')}
      and traces_pairs.kind = ${kind} and traces_pairs.pair_key = ${key} and ${condition})`;
  if (operator === 'IS NULL') return sql`not ${exists(sql`1 = 1`)}`;
  if (operator === 'IS NOT NULL') return exists(sql`1 = 1`);
  if (operator !== '=') return exists(compareText(compiler, sql.ref('traces_pairs.pair_value'), comparison));
  const text = requireText(comparison);
  // by the index of beginnings: characters, not bytes, in both databases
  return sql`traces_traces.trace_id in (select traces_pairs.trace_id from traces_pairs
    where traces_pairs.project = ${compiler.scope.project} and traces_pairs.kind = ${kind} and traces_pairs.pair_key = ${key}
      and substr(traces_pairs.pair_value, 1, 64) = ${Array.from(text).slice(0, 64).join('')} and traces_pairs.pair_value = ${text})`;
}

function compareAssessment(compiler: Compiler, kind: AssessmentKind, comparison: Comparison): Sql {
  requireOperator(comparison, [...nullable, '<', '<=', '>', '>=']);
  const { operator, value } = comparison;
  const exists = (condition: Sql) =>
    sql`exists (select 1 from traces_assessments where ${ofTrace('traces_assessments')}
      and traces_assessments.kind = ${kind} and traces_assessments.name = ${comparison.key}
      and traces_assessments.valid = 1 and ${condition})`;
  if (operator === 'IS NULL') return sql`not ${exists(sql`1 = 1`)}`;
  if (operator === 'IS NOT NULL') return exists(sql`1 = 1`);
  if (typeof value === 'number' || !textual.includes(operator)) {
    if (!isSign(operator)) throw invalid(`'${operator}' cannot compare the number '${nameOf(comparison)}'`);
    return exists(sql`traces_assessments.value_number ${signs[operator]} ${requireNumber(comparison)}`);
  }
  return exists(compareText(compiler, sql.ref('traces_assessments.value_text'), comparison));
}

function compareAttribute(compiler: Compiler, comparison: Comparison): Sql {
  const { key, operator } = comparison;
  const number = Object.hasOwn(numbers, key) ? numbers[key] : undefined;
  if (number !== undefined) {
    if (!isSign(operator)) throw invalid(`'${operator}' cannot compare the number '${key}'`);
    return sql`${number} ${signs[operator]} ${toNumberParameter(compiler.reader, requireNumber(comparison))}`;
  }
  const column = Object.hasOwn(texts, key) ? texts[key] : undefined;
  if (column !== undefined) {
    requireOperator(
      comparison,
      key === 'name' || key === 'client_request_id' ? [...listed, 'IS NULL', 'IS NOT NULL'] : listed,
    );
    return compareText(compiler, sql.ref(column), comparison);
  }
  if (key === 'run_id') {
    requireOperator(comparison, [...listed, 'IS NULL', 'IS NOT NULL']);
    return compareLink(compiler, 'run', comparison);
  }
  if (key === 'prompt') {
    requireOperator(comparison, ['=']);
    if (requireText(comparison).split('/').length !== 2)
      throw invalid(
        `Invalid prompts filter value '${requireText(comparison).slice(0, 100)}'. Expected format: prompt = "name/version"`,
      );
    return compareLink(compiler, 'prompt', comparison);
  }
  throw invalid(
    `Invalid attribute key '${key}' specified. Valid keys are: ${[...Object.keys(numbers), ...Object.keys(texts), ...others].join(', ')}`,
  );
}

function compareLink(compiler: Compiler, kind: 'run' | 'prompt', comparison: Comparison): Sql {
  const { operator } = comparison;
  const exists = (condition: Sql) =>
    sql`exists (select 1 from traces_links where ${ofTrace('traces_links')} and traces_links.kind = ${kind} and ${condition})`;
  if (operator === 'IS NULL') return sql`not ${exists(sql`1 = 1`)}`;
  if (operator === 'IS NOT NULL') return exists(sql`1 = 1`);
  if (operator !== '=') return exists(compareText(compiler, sql.ref('traces_links.target'), comparison));
  return sql`traces_traces.trace_id in (select traces_links.trace_id from traces_links
    where traces_links.project = ${compiler.scope.project} and traces_links.kind = ${kind}
      and traces_links.target = ${requireText(comparison)})`;
}

const spanColumns: Readonly<Record<string, string>> = {
  name: 'traces_spans.name',
  type: 'traces_spans.type',
  status: 'traces_spans.status',
};
const attributePrefix = 'attributes.';
const isText = (comparison: Comparison) =>
  groups[comparison.group ?? 'attribute'] === 'attribute' && comparison.key === 'text';
const isOfSpan = (comparison: Comparison) => groups[comparison.group ?? 'attribute'] === 'span' || isText(comparison);

/** What an attribute says, as a text; a double is stored in a mark of its own, and SQLite reads numbers as numbers. */
const said = (reader: Reader): Sql =>
  reader.dialect === 'sqlite'
    ? sql`case json_type(item.value, '$[1]') when 'text' then item.value ->> 1
        else coalesce(item.value -> '$[1].d', item.value -> 1) end`
    : sql`coalesce(item.value -> 1 ->> 'd', item.value ->> 1)`;

/** The attributes of a span as rows `attribute.name` and `attribute.said`. */
const attributesOfSpan = (reader: Reader): Sql =>
  reader.dialect === 'sqlite'
    ? sql`(select item.value ->> 0 as name, ${said(reader)} as said
        from json_each(traces_spans.content, '$.a') as item) as attribute`
    : sql`(select item.value ->> 0 as name, ${said(reader)} as said
        from jsonb_array_elements(traces_spans.content::jsonb -> 'a') as item(value)) as attribute`;

function compareSpan(compiler: Compiler, comparison: Comparison): Sql {
  const { key } = comparison;
  if (isText(comparison) || key === 'content') {
    requireOperator(comparison, ['LIKE', 'ILIKE']);
    // as JSON writes it, for the stored text is JSON
    const value = JSON.stringify(requireText(comparison)).slice(1, -1);
    return compareText(compiler, sql.ref('traces_spans.content'), { ...comparison, value });
  }
  requireOperator(comparison, listed);
  const column = Object.hasOwn(spanColumns, key) ? spanColumns[key] : undefined;
  if (column !== undefined) return compareText(compiler, sql.ref(column), comparison);
  const name = key.startsWith(attributePrefix) ? key.slice(attributePrefix.length) : '';
  if (name === '')
    throw invalid(
      `Invalid span attribute '${key}'. Supported attributes: name, status, type, content, attributes.<attribute_name>.`,
    );
  return sql`exists (select 1 from ${attributesOfSpan(compiler.reader)}
    where attribute.name = ${name} and ${compareText(compiler, sql.ref('attribute.said'), comparison)})`;
}

function compareOne(compiler: Compiler, comparison: Comparison): Sql {
  const group = groups[comparison.group ?? 'attribute'];
  if (group === 'tag' || group === 'metadata') {
    // MLflow keeps these as tags and metadata, and lets them be asked for so
    if (group === 'metadata' && comparison.key === metadataKeys.run && comparison.operator === '=')
      return compareLink(compiler, 'run', comparison);
    return comparePair(compiler, group, comparison);
  }
  if (group === 'feedback' || group === 'expectation') return compareAssessment(compiler, group, comparison);
  if (group === 'issue') {
    requireOperator(comparison, ['=']);
    if (comparison.key !== 'id') throw invalid(`Invalid issue attribute '${comparison.key}'. Supported attributes: id`);
    return sql`exists (select 1 from traces_assessments where ${ofTrace('traces_assessments')}
      and traces_assessments.kind = 'issue' and traces_assessments.name = ${requireText(comparison)})`;
  }
  return compareAttribute(compiler, comparison);
}

function requireGroups(comparisons: readonly Comparison[]): void {
  if (comparisons.length > maxComparisons) throw invalid(`a filter has at most ${maxComparisons} conditions`);
  for (const { group, key } of comparisons)
    if (group !== undefined && (!Object.hasOwn(groups, group) || groups[group] === undefined))
      throw invalid(
        `Invalid entity type '${group.slice(0, 50)}' in '${group.slice(0, 50)}.${key.slice(0, 50)}'. Valid values are ${Object.keys(groups).join(', ')}`,
      );
}

/** Where the texts are that a comparison by RLIKE looks at. */
function sourceOf(
  reader: Reader,
  scope: SearchScope,
  comparison: Comparison,
): { readonly column: Sql; readonly from: Sql } {
  const group = groups[comparison.group ?? 'attribute'] ?? 'attribute';
  const { key } = comparison;
  const ofProject = (table: string, more: Sql) =>
    sql`${sql.table(table)} where ${sql.ref(`${table}.project`)} = ${scope.project} and ${more}`;
  const ofTraces = (column: string) => ({
    column: sql.ref(column),
    from: ofProject('traces_traces', sql`${experimentIn(reader, scope)}`),
  });
  if (group === 'tag' || group === 'metadata') {
    const column = columnsOfPairs[`${group}.${key}`];
    if (column !== undefined) return ofTraces(column);
    return {
      column: sql.ref('traces_pairs.pair_value'),
      from: ofProject('traces_pairs', sql`traces_pairs.kind = ${group} and traces_pairs.pair_key = ${key}`),
    };
  }
  if (group === 'span') {
    const column = Object.hasOwn(spanColumns, key) ? spanColumns[key] : undefined;
    if (column !== undefined) return { column: sql.ref(column), from: ofProject('traces_spans', sql`1 = 1`) };
    const lateral = reader.dialect === 'postgres' ? sql`cross join lateral` : sql`cross join`;
    return {
      column: sql.ref('attribute.said'),
      from:
        reader.dialect === 'postgres'
          ? sql`traces_spans ${lateral} ${attributesOfSpan(reader)}
              where traces_spans.project = ${scope.project} and attribute.name = ${key.slice(attributePrefix.length)}`
          : sql`(select ${said(reader)} as said from traces_spans, json_each(traces_spans.content, '$.a') as item
              where traces_spans.project = ${scope.project} and item.value ->> 0 = ${key.slice(attributePrefix.length)}) as attribute where 1 = 1`,
    };
  }
  if (group === 'feedback' || group === 'expectation' || group === 'issue')
    return {
      column: sql.ref('traces_assessments.value_text'),
      from: ofProject(
        'traces_assessments',
        sql`traces_assessments.kind = ${group} and traces_assessments.name = ${key}`,
      ),
    };
  if (key === 'run_id')
    return { column: sql.ref('traces_links.target'), from: ofProject('traces_links', sql`traces_links.kind = 'run'`) };
  return ofTraces((Object.hasOwn(texts, key) ? texts[key] : undefined) ?? 'traces_traces.name');
}

/** Traces of the experiments that a search looks into. */
export const experimentIn = (reader: Reader, { experimentIds }: SearchScope): Sql =>
  experimentIds.length === 1
    ? sql`traces_traces.experiment_id = ${experimentIds[0] ?? 0}`
    : sql`${inList(reader, 'traces_traces.experiment_id', experimentIds)}`;

/**
 * Regular expressions are run here, over the different texts there are, and not by the databases: SQLite has none, and
 * what people write must be found alike in both.
 */
async function findMatches(reader: Reader, scope: SearchScope, comparisons: readonly Comparison[]): Promise<Matches> {
  const matches = new Map<Comparison, readonly string[]>();
  const effort = { steps: 0 };
  for (const comparison of comparisons) {
    if (comparison.operator !== 'RLIKE') continue;
    const isFound = compilePattern(requireText(comparison), effort);
    const { column, from } = sourceOf(reader, scope, comparison);
    const found = sql`select distinct ${column} as found from ${from} limit ${maxTexts + 1}`;
    const query = reader.query<TracesTables>();
    const counted = await sql<{ texts: number; characters: number | null }>`
      select count(*) as texts, sum(length(found)) as characters from (${found}) as counted`.execute(query);
    const { texts: count = 0, characters } = counted.rows[0] ?? {};
    if (count > maxTexts || (characters ?? 0) > maxCharacters)
      throw invalid(
        `'${nameOf(comparison)}' has more than ${maxTexts} different values or ${maxCharacters} characters, too many for RLIKE; use LIKE`,
      );
    const { rows } = await sql<{ found: string | null }>`${found}`.execute(query);
    matches.set(
      comparison,
      rows.flatMap(({ found: text }) => (text !== null && isFound(text) ? [text] : [])),
    );
  }
  return matches;
}

/** The conditions of a filter, joined by AND. TRACE_FILTER_INVALID says what it cannot mean. */
export async function compileTraceFilter(
  reader: Reader,
  scope: SearchScope,
  comparisons: readonly Comparison[],
): Promise<RawBuilder<boolean>> {
  requireGroups(comparisons);
  const compile = (matches: Matches): RawBuilder<boolean> => {
    const compiler = { reader, scope, matches };
    const conditions = comparisons
      .filter((comparison) => !isOfSpan(comparison))
      .map((one) => compareOne(compiler, one));
    const ofSpans = comparisons.filter(isOfSpan).map((one) => compareSpan(compiler, one));
    if (ofSpans.length > 0)
      conditions.push(
        sql`exists (select 1 from traces_spans where ${ofTrace('traces_spans')} and ${sql.join(ofSpans, sql` and `)})`,
      );
    return conditions.length === 0 ? sql<boolean>`1 = 1` : sql<boolean>`${sql.join(conditions, sql` and `)}`;
  };
  compile(new Map()); // a mistake is told before anything is looked up
  return compile(await findMatches(reader, scope, comparisons));
}

/** Order terms; what is missing comes last, in both directions. */
export function compileTraceOrdering(orderings: readonly Ordering[]): Sql[] {
  if (new Set(orderings.map(nameOf)).size < orderings.length)
    throw invalid(`\`order_by\` contains duplicate fields: ${orderings.map(nameOf).join(', ')}`);
  return orderings.map((ordering) => {
    const direction = ordering.descending ? sql`desc nulls last` : sql`asc nulls last`;
    return sql`${orderedBy(ordering)} ${direction}`;
  });
}

function orderedBy(ordering: Ordering): Sql {
  const { group: given, key } = ordering;
  const group = groups[given ?? 'attribute'];
  if (group === 'tag' || group === 'metadata') {
    const column = columnsOfPairs[`${group}.${key}`];
    if (column !== undefined) return sql.ref(column);
    return sql`(select traces_pairs.pair_value from traces_pairs where ${ofTrace('traces_pairs')}
      and traces_pairs.kind = ${group} and traces_pairs.pair_key = ${key})`;
  }
  if (group === 'attribute') {
    if (Object.hasOwn(numbers, key)) return numbers[key] ?? sql``;
    if (Object.hasOwn(texts, key)) return sql.ref(texts[key] ?? '');
    if (key === 'experiment_id') return sql.ref('traces_traces.experiment_id');
    if (key === 'run_id')
      return sql`(select min(traces_links.target) from traces_links where ${ofTrace('traces_links')} and traces_links.kind = 'run')`;
  }
  throw invalid(`Invalid order_by clause: '${nameOf(ordering).slice(0, 100)}' cannot be ordered by`);
}
