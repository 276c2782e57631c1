import { type RawBuilder, sql } from 'kysely';
import type { Reader } from '#platform/database';
import { inList, like, toNumberParameter } from '#platform/sql';
import { special } from './metric-value.ts';
import type { Comparison, ComparisonOperator, Identifier, Ordering } from './search-grammar.ts';
import { trackingErrors } from './tracking-errors.ts';

/** Where the things that a filter may name are stored. Columns and tables come from code, values go in as parameters. */
export interface SearchSchema {
  /** The searched table's key: `tracking_runs.run_id`. */
  readonly key: string;
  /** The key is compared by its bytes (`collate "C"`), and those of the tables below are not. */
  readonly keyByBytes?: true;
  readonly attributes: Readonly<
    Record<
      string,
      {
        readonly column: string;
        /** `id`: a number that clients write as a text as well. */
        readonly type: 'text' | 'number' | 'id';
        readonly lists?: true;
        /** A number that may stand in quotes, as a whole one. */
        readonly quoted?: true;
        /** What has none is compared as the empty text. */
        readonly absentIsEmpty?: true;
        /** From what people write to what is stored. */
        readonly toStored?: (text: string) => string;
      }
    >
  >;
  /** Params and tags can be compared with lists. */
  readonly lists?: true;
  readonly metrics?: {
    readonly table: string;
    readonly owner: string;
    /** What a point must meet as well. */
    readonly condition?: RawBuilder<unknown>;
  };
  readonly params?: KeyValueSource;
  readonly tags?: KeyValueSource;
  readonly datasets?: true;
}

interface KeyValueSource {
  readonly table: string;
  readonly owner: string | readonly string[];
  readonly key: string;
  readonly value: string;
}

type Group = 'attribute' | 'metric' | 'param' | 'tag' | 'dataset';
const groups: Readonly<Record<string, Group>> = {
  attribute: 'attribute',
  attributes: 'attribute',
  attr: 'attribute',
  run: 'attribute',
  metric: 'metric',
  metrics: 'metric',
  param: 'param',
  params: 'param',
  parameter: 'param',
  parameters: 'param',
  tag: 'tag',
  tags: 'tag',
  dataset: 'dataset',
  datasets: 'dataset',
};

const numeric: readonly ComparisonOperator[] = ['=', '!=', '<', '<=', '>', '>='];
const textual: readonly ComparisonOperator[] = ['=', '!=', 'LIKE', 'ILIKE'];

const invalid = trackingErrors.TRACKING_VALUE_INVALID;

export function groupOf(schema: SearchSchema, { group, key }: Identifier): Group {
  if (group === undefined) return 'attribute';
  const found = groups[group];
  const supported =
    found === 'attribute' ||
    (found === 'metric' && schema.metrics) ||
    (found === 'param' && schema.params) ||
    (found === 'tag' && schema.tags) ||
    (found === 'dataset' && schema.datasets);
  if (found === undefined || !supported)
    throw invalid(
      `Invalid entity type '${group}' in '${group}.${key}'. Valid entity types are attributes${
        schema.metrics ? ', metrics' : ''
      }${schema.params ? ', params' : ''}${schema.tags ? ', tags' : ''}${schema.datasets ? ', datasets' : ''}.`,
    );
  return found;
}

function requireNumber({ key, operator, value }: Comparison): number {
  if (!numeric.includes(operator)) throw invalid(`'${operator}' cannot compare the number '${key}'`);
  if (typeof value !== 'number')
    throw invalid(`Expected numeric value type for '${key}'. Found ${JSON.stringify(value)}`);
  return value;
}

function requireText({ key, operator, value }: Comparison): string {
  if (!textual.includes(operator)) throw invalid(`'${operator}' cannot compare the text '${key}'`);
  if (typeof value !== 'string')
    throw invalid(`Expected a quoted string value for '${key}' (e.g. 'my-value'). Got value ${JSON.stringify(value)}`);
  return value;
}

const operators = { '=': sql`=`, '!=': sql`<>`, '<': sql`<`, '<=': sql`<=`, '>': sql`>`, '>=': sql`>=` } as const;
export const signOf = (operator: ComparisonOperator) => operators[operator as keyof typeof operators];

/** SQLite refuses patterns of 50,000 bytes; no value is as long as this. */
const mostPatternLength = 10_000;

/** MLflow's patterns know `%` and `_` and no escape. */
export function compareText(reader: Reader, column: string, comparison: Comparison): RawBuilder<unknown> {
  const text = requireText(comparison);
  if (comparison.operator.endsWith('LIKE') && text.length > mostPatternLength)
    throw invalid(`a pattern has at most ${mostPatternLength} characters, this one has ${text.length}`);
  if (comparison.operator === 'LIKE') {
    if (reader.dialect === 'postgres') return sql`${sql.ref(column)} like ${text} escape ''`;
    const glob = text
      .replaceAll(/[[*?]/g, (character) => `[${character}]`)
      .replaceAll('%', '*')
      .replaceAll('_', '?');
    return sql`${sql.ref(column)} glob ${glob}`;
  }
  if (comparison.operator === 'ILIKE') return sql`${like(reader, column, text.replaceAll('\\', '\\\\'))}`;
  return sql`${sql.ref(column)} ${signOf(comparison.operator)} ${text}`;
}

const compareNumber = (reader: Reader, column: string, comparison: Comparison) =>
  sql`${sql.ref(column)} ${signOf(comparison.operator)} ${toNumberParameter(reader, requireNumber(comparison))}`;

export function attributeOf(schema: SearchSchema, key: string) {
  const attribute = Object.hasOwn(schema.attributes, key) ? schema.attributes[key] : undefined;
  if (attribute === undefined)
    throw trackingErrors.SEARCH_ATTRIBUTE_UNKNOWN(key, Object.keys(schema.attributes).join(', '));
  return attribute;
}

function compareAttribute(reader: Reader, schema: SearchSchema, comparison: Comparison): RawBuilder<unknown> {
  const { column, type, lists, quoted, absentIsEmpty, toStored } = attributeOf(schema, comparison.key);
  const { operator } = comparison;
  if ((operator === 'IN' || operator === 'NOT IN') && !lists)
    throw invalid(`'${operator}' is not supported for the attribute '${comparison.key}'`);
  if (operator === 'IS NULL' || operator === 'IS NOT NULL')
    throw invalid(`'${operator}' is for params and tags only, not for the attribute '${comparison.key}'`);
  if (type === 'number') return compareNumber(reader, column, quoted ? unquoteWhole(comparison) : comparison);
  if (type === 'id') return compareId(reader, column, comparison);
  const compared = compareListedText(
    reader,
    column,
    toStored === undefined ? comparison : mapValue(comparison, toStored),
  );
  return absentIsEmpty && matchesEmpty(comparison) ? sql`(${compared} or ${sql.ref(column)} is null)` : compared;
}

const unquoteWhole = (comparison: Comparison): Comparison =>
  typeof comparison.value === 'string' && /^\d{1,15}$/.test(comparison.value)
    ? { ...comparison, value: Number(comparison.value) }
    : comparison;

function matchesEmpty({ operator, value }: Comparison): boolean {
  if (typeof value === 'object') return value.includes('') === (operator === 'IN');
  if (operator === '=' || operator === '!=') return (value === '') === (operator === '=');
  return typeof value === 'string' && /^%*$/.test(value);
}

function mapValue(comparison: Comparison, change: (text: string) => string): Comparison {
  const { value } = comparison;
  if (typeof value === 'string') return { ...comparison, value: change(value) };
  return typeof value === 'object' ? { ...comparison, value: value.map(change) } : comparison;
}

/** What is no number is no id of anything. */
const toId = (text: string) => (/^\d{1,15}$/.test(text) ? Number(text) : -1);

function compareId(reader: Reader, column: string, comparison: Comparison): RawBuilder<unknown> {
  const { operator, value } = comparison;
  if (typeof value === 'object') {
    const inside = inList(reader, column, value.map(toId));
    return operator === 'IN' ? sql`${inside}` : sql`not (${inside})`;
  }
  return compareNumber(reader, column, typeof value === 'string' ? { ...comparison, value: toId(value) } : comparison);
}

/** As `compareText`, and with a list. */
function compareListedText(reader: Reader, column: string, comparison: Comparison): RawBuilder<unknown> {
  const { operator, value } = comparison;
  if (typeof value !== 'object') return compareText(reader, column, comparison);
  const inside = inList(reader, column, value);
  return operator === 'IN' ? sql`${inside}` : sql`not (${inside})`;
}

const listOf = (names: string | readonly string[]) => (typeof names === 'string' ? names.split(' ') : names);

/** PostgreSQL finds nothing by an index of another collation than that of the comparison. */
export const asKey = (
  { dialect }: Pick<Reader, 'dialect'>,
  { keyByBytes }: Pick<SearchSchema, 'keyByBytes'>,
  name: string,
) => (keyByBytes && dialect === 'postgres' ? sql`${sql.ref(name)} collate "default"` : sql.ref(name));

/**
 * There is a row of `table` that belongs to what is searched and meets `condition`. It asks row by row along the table's
 * primary key. (`offset 0` keeps PostgreSQL from reading the whole table for a hash of it.)
 */
function owns(
  { dialect }: Pick<Reader, 'dialect'>,
  schema: SearchSchema,
  { table, owner }: { readonly table: string; readonly owner: string | readonly string[] },
  condition: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const keys = listOf(schema.key);
  const same = listOf(owner).map(
    (column, index) => sql`${sql.ref(`${table}.${column}`)} = ${asKey({ dialect }, schema, keys[index] ?? schema.key)}`,
  );
  return sql`exists (select 1 from ${sql.table(table)} where ${sql.join(same, sql` and `)} and ${condition}
    ${dialect === 'postgres' ? sql`offset 0` : sql``})`;
}

function compareKeyValue(
  reader: Reader,
  schema: SearchSchema,
  source: KeyValueSource,
  comparison: Comparison,
): RawBuilder<unknown> {
  const { operator, key } = comparison;
  const isKey = sql`${sql.ref(`${source.table}.${source.key}`)} = ${key}`;
  if (operator === 'IS NULL') return sql`not ${owns(reader, schema, source, isKey)}`;
  if (operator === 'IS NOT NULL') return owns(reader, schema, source, isKey);
  const column = `${source.table}.${source.value}`;
  const matches = schema.lists
    ? compareListedText(reader, column, comparison)
    : compareText(reader, column, comparison);
  return owns(reader, schema, source, sql`${isKey} and ${matches}`);
}

const inputTags = { table: 'tracking_input_tags', owner: 'run_id' };
const inputs = { table: 'tracking_inputs', owner: 'run_id' };

function compareDataset(reader: Reader, schema: SearchSchema, comparison: Comparison): RawBuilder<unknown> {
  const { key } = comparison;
  const column = Object.hasOwn(datasetColumns, key) ? datasetColumns[key] : undefined;
  if (column === undefined) throw trackingErrors.SEARCH_ATTRIBUTE_UNKNOWN(key, 'name, digest, context');
  const matches = compareListedText(reader, column, comparison);
  if (key === 'context')
    return owns(reader, schema, inputTags, sql`tracking_input_tags.tag_key = 'mlflow.data.context' and ${matches}`);
  return owns(
    reader,
    schema,
    inputs,
    sql`exists (select 1 from tracking_datasets
      where tracking_datasets.dataset_key = tracking_inputs.dataset_key and ${matches})`,
  );
}

const datasetColumns: Readonly<Record<string, string>> = {
  name: 'tracking_datasets.name',
  digest: 'tracking_datasets.digest',
  context: 'tracking_input_tags.tag_value',
};

function compareMetric(reader: Reader, schema: SearchSchema, comparison: Comparison): RawBuilder<unknown> {
  const source = schema.metrics ?? { table: '', owner: '' };
  const { table } = source;
  const further = schema.metrics?.condition ?? sql`1 = 1`;
  return owns(
    reader,
    schema,
    source,
    sql`${sql.ref(`${table}.metric_key`)} = ${comparison.key} and ${compareMetricValue(reader, table, comparison)}
      and ${further}`,
  );
}

function compareMetricValue(reader: Reader, table: string, comparison: Comparison): RawBuilder<unknown> {
  // NaN is not less, equal or greater: it answers only to "not equal"
  const isNan = sql`${sql.ref(`${table}.special`)} = ${sql.lit(special.nan)}`;
  const matches = compareNumber(reader, `${table}.value`, comparison);
  return comparison.operator === '!=' ? sql`(${isNan} or ${matches})` : sql`not (${isNan}) and ${matches}`;
}

/** More would be a deeper expression than SQLite takes, and nothing that a person or a client asks. */
const mostComparisons = 200;

/** The conditions of a filter, joined by AND; a key that was never logged matches only IS NULL. */
export function compileFilter(
  reader: Reader,
  schema: SearchSchema,
  comparisons: readonly Comparison[],
): RawBuilder<boolean> {
  if (comparisons.length > mostComparisons)
    throw invalid(`a filter has at most ${mostComparisons} comparisons, this one has ${comparisons.length}`);
  const conditions = comparisons.map((comparison) => {
    const group = groupOf(schema, comparison);
    if (group === 'attribute') return compareAttribute(reader, schema, comparison);
    if (group === 'metric') return compareMetric(reader, schema, comparison);
    if (group === 'dataset') return compareDataset(reader, schema, comparison);
    const source = group === 'param' ? schema.params : schema.tags;
    if (source === undefined) throw invalid(`'${comparison.key}' cannot be searched here`);
    return compareKeyValue(reader, schema, source, comparison);
  });
  return conditions.length === 0 ? sql<boolean>`1 = 1` : sql<boolean>`${sql.join(conditions, sql` and `)}`;
}

/** Texts in the order of their bytes: PostgreSQL would order them by the language of the database. */
export const byBytes = ({ dialect }: Pick<Reader, 'dialect'>, column: string): RawBuilder<unknown> =>
  dialect === 'postgres' ? sql`${sql.ref(column)} collate "C"` : sql`${sql.ref(column)}`;

const mostOrderings = 20;

/** Order terms: what is missing comes last in both directions. (Metrics are ordered where they are searched.) */
export function compileOrdering(
  reader: Reader,
  schema: SearchSchema,
  orderings: readonly Ordering[],
): RawBuilder<unknown>[] {
  if (orderings.length > mostOrderings) throw invalid(`at most ${mostOrderings} orderings can be combined`);
  return orderings.flatMap((ordering) => {
    const direction = ordering.descending ? sql`desc nulls last` : sql`asc nulls last`;
    const group = groupOf(schema, ordering);
    if (group === 'attribute') {
      const { column, type } = attributeOf(schema, ordering.key);
      return [sql`${type === 'text' ? byBytes(reader, column) : sql.ref(column)} ${direction}`];
    }
    const source = group === 'param' ? schema.params : group === 'tag' ? schema.tags : undefined;
    if (source === undefined || typeof source.owner !== 'string')
      throw invalid(`Invalid order_by clause: '${ordering.group}.${ordering.key}' cannot be ordered by`);
    return [
      sql`(select ${sql.ref(`${source.table}.${source.value}`)} from ${sql.table(source.table)}
        where ${sql.ref(`${source.table}.${source.owner}`)} = ${sql.ref(schema.key)}
          and ${sql.ref(`${source.table}.${source.key}`)} = ${ordering.key})
        ${reader.dialect === 'postgres' ? sql`collate "C"` : sql``} ${direction}`,
    ];
  });
}
