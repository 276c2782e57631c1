import { type RawBuilder, sql } from 'kysely';
import type { Reader } from '#platform/database';
import { inList, like } from '#platform/sql';
import { special } from './metric-value.ts';
import type { Comparison, ComparisonOperator, Identifier, Ordering } from './search-grammar.ts';
import { trackingErrors } from './tracking-errors.ts';

/** Where the things that a filter may name are stored. Columns and tables come from code, values go in as parameters. */
export interface SearchSchema {
  /** The searched table's key: `tracking_runs.run_id`. */
  readonly key: string;
  readonly attributes: Readonly<
    Record<string, { readonly column: string; readonly type: 'text' | 'number'; readonly lists?: true }>
  >;
  readonly metrics?: { readonly table: string; readonly owner: string };
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

function groupOf(schema: SearchSchema, { group, key }: Identifier): Group {
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
const signOf = (operator: ComparisonOperator) => operators[operator as keyof typeof operators];

/** MLflow's patterns know `%` and `_` and no escape. */
function compareText(reader: Reader, column: string, comparison: Comparison): RawBuilder<unknown> {
  const text = requireText(comparison);
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

const compareNumber = (column: string, comparison: Comparison) =>
  sql`${sql.ref(column)} ${signOf(comparison.operator)} ${requireNumber(comparison)}`;

function attributeOf(schema: SearchSchema, key: string) {
  const attribute = Object.hasOwn(schema.attributes, key) ? schema.attributes[key] : undefined;
  if (attribute === undefined)
    throw trackingErrors.SEARCH_ATTRIBUTE_UNKNOWN(key, Object.keys(schema.attributes).join(', '));
  return attribute;
}

function compareAttribute(reader: Reader, schema: SearchSchema, comparison: Comparison): RawBuilder<unknown> {
  const { column, type, lists } = attributeOf(schema, comparison.key);
  const { operator, value } = comparison;
  if (operator === 'IN' || operator === 'NOT IN') {
    if (!lists || typeof value !== 'object')
      throw invalid(`'${operator}' is not supported for the attribute '${comparison.key}'`);
    const inside = inList(reader, column, value);
    return operator === 'IN' ? sql`${inside}` : sql`not (${inside})`;
  }
  if (operator === 'IS NULL' || operator === 'IS NOT NULL')
    throw invalid(`'${operator}' is for params and tags only, not for the attribute '${comparison.key}'`);
  return type === 'number' ? compareNumber(column, comparison) : compareText(reader, column, comparison);
}

const columnsOf = (owner: string | readonly string[]) =>
  sql.join((typeof owner === 'string' ? [owner] : owner).map((column) => sql.ref(column)));

function compareKeyValue(
  reader: Reader,
  schema: SearchSchema,
  source: KeyValueSource,
  comparison: Comparison,
): RawBuilder<unknown> {
  const { operator, key } = comparison;
  const keys = typeof source.owner === 'string' ? sql.ref(schema.key) : sql`(${columnsOf(schema.key.split(' '))})`;
  const owners = (condition: RawBuilder<unknown>) =>
    sql`${keys} in (select ${columnsOf(source.owner)} from ${sql.table(source.table)}
      where ${sql.ref(`${source.table}.${source.key}`)} = ${key} and ${condition})`;
  const column = `${source.table}.${source.value}`;
  if (operator === 'IS NULL') return sql`not (${owners(sql`1 = 1`)})`;
  if (operator === 'IS NOT NULL') return owners(sql`1 = 1`);
  return owners(compareText(reader, column, comparison));
}

function compareDataset(reader: Reader, comparison: Comparison): RawBuilder<unknown> {
  const { key } = comparison;
  const list = comparison.operator === 'IN' || comparison.operator === 'NOT IN';
  const column = { name: 'tracking_datasets.name', digest: 'tracking_datasets.digest', context: 'tag_value' }[key];
  if (column === undefined) throw trackingErrors.SEARCH_ATTRIBUTE_UNKNOWN(key, 'name, digest, context');
  if (list) throw invalid(`'${comparison.operator}' is not supported for 'datasets.${key}'`);
  if (key === 'context')
    return sql`tracking_runs.run_id in (select tracking_input_tags.run_id from tracking_input_tags
      where tracking_input_tags.tag_key = 'mlflow.data.context'
        and ${compareText(reader, 'tracking_input_tags.tag_value', comparison)})`;
  return sql`tracking_runs.run_id in (select tracking_inputs.run_id from tracking_inputs
    inner join tracking_datasets on tracking_datasets.dataset_key = tracking_inputs.dataset_key
    where ${compareText(reader, column, comparison)})`;
}

function compareMetric(schema: SearchSchema, comparison: Comparison): RawBuilder<unknown> {
  const { table, owner } = schema.metrics ?? { table: '', owner: '' };
  // NaN is not less, equal or greater: it answers only to "not equal"
  const real = comparison.operator === '!=' ? sql`1 = 1` : sql`${sql.ref(`${table}.special`)} <> ${special.nan}`;
  return sql`${sql.ref(schema.key)} in (select ${sql.ref(`${table}.${owner}`)} from ${sql.table(table)}
    where ${sql.ref(`${table}.metric_key`)} = ${comparison.key} and ${real}
      and ${compareNumber(`${table}.value`, comparison)})`;
}

/** The conditions of a filter, joined by AND; a key that was never logged matches only IS NULL. */
export function compileFilter(
  reader: Reader,
  schema: SearchSchema,
  comparisons: readonly Comparison[],
): RawBuilder<boolean> {
  const conditions = comparisons.map((comparison) => {
    const group = groupOf(schema, comparison);
    if (group === 'attribute') return compareAttribute(reader, schema, comparison);
    if (group === 'metric') return compareMetric(schema, comparison);
    if (group === 'dataset') return compareDataset(reader, comparison);
    const source = group === 'param' ? schema.params : schema.tags;
    if (source === undefined) throw invalid(`'${comparison.key}' cannot be searched here`);
    return compareKeyValue(reader, schema, source, comparison);
  });
  return conditions.length === 0 ? sql<boolean>`1 = 1` : sql<boolean>`${sql.join(conditions, sql` and `)}`;
}

/** Order terms: values first, then NaN, then what is missing, in both directions. */
export function compileOrdering(schema: SearchSchema, orderings: readonly Ordering[]): RawBuilder<unknown>[] {
  return orderings.flatMap((ordering) => {
    const direction = ordering.descending ? sql`desc nulls last` : sql`asc nulls last`;
    const group = groupOf(schema, ordering);
    if (group === 'attribute') return [sql`${sql.ref(attributeOf(schema, ordering.key).column)} ${direction}`];
    if (group === 'metric' && schema.metrics) {
      const { table, owner } = schema.metrics;
      const of = (column: string) =>
        sql`(select ${sql.ref(`${table}.${column}`)} from ${sql.table(table)}
          where ${sql.ref(`${table}.${owner}`)} = ${sql.ref(schema.key)} and ${sql.ref(`${table}.metric_key`)} = ${ordering.key}
          order by ${sql.ref(`${table}.step`)} desc, ${sql.ref(`${table}.timestamp_ms`)} desc limit 1)`;
      return [
        sql`case when ${of('special')} is null then 2 when ${of('special')} = ${special.nan} then 1 else 0 end`,
        sql`${of('value')} ${direction}`,
      ];
    }
    const source = group === 'param' ? schema.params : group === 'tag' ? schema.tags : undefined;
    if (source === undefined || typeof source.owner !== 'string')
      throw invalid(`Invalid order_by clause: '${ordering.group}.${ordering.key}' cannot be ordered by`);
    return [
      sql`(select ${sql.ref(`${source.table}.${source.value}`)} from ${sql.table(source.table)}
        where ${sql.ref(`${source.table}.${source.owner}`)} = ${sql.ref(schema.key)}
          and ${sql.ref(`${source.table}.${source.key}`)} = ${ordering.key}) ${direction}`,
    ];
  });
}
