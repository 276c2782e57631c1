/** The only place where names and values become SQL text. DuckDB has no escapes inside either but the doubled quote. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function quoteNames(names: readonly string[], alias?: string): string {
  return names.map((name) => (alias === undefined ? quoteName(name) : `${alias}.${quoteName(name)}`)).join(', ');
}

export function quoteTexts(texts: readonly string[]): string {
  return `[${texts.map(quoteText).join(', ')}]`;
}

/** A double as DuckDB reads it back bit for bit. */
export function quoteNumber(value: number): string {
  return Number.isFinite(value) ? `${value}::double` : `'${value}'::double`;
}

export function quoteNumbers(values: readonly number[]): string {
  return `[${values.map(quoteNumber).join(', ')}]::double[]`;
}

/** Several Parquet files as one table, in the order of the list; columns go by name, those that a file lacks are null. */
export function readParquet(paths: readonly string[], options: readonly string[] = []): string {
  return `read_parquet(${[quoteTexts(paths), 'union_by_name = true', 'hive_partitioning = false', ...options].join(', ')})`;
}
