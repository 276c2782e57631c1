import type { Cell, Row, SqlConnection } from './sql-connection.ts';

export const text = (cell: Cell | undefined): string => (cell === null || cell === undefined ? '' : String(cell));
export const number = (cell: Cell | undefined): number => Number(cell ?? 0);
export const optional = (cell: Cell | undefined): string | undefined => (text(cell) === '' ? undefined : text(cell));
export const isTrue = (cell: Cell | undefined): boolean => cell === true || cell === 1;
export const isDeleted = (row: Row): boolean => row['lifecycle_stage'] === 'deleted';

export const toPairs = (found: readonly Row[], key = 'key', value = 'value'): { key: string; value: string }[] =>
  found.map((row) => ({ key: text(row[key]), value: text(row[value]) }));

export function groupBy(rows: readonly Row[], keyOf: (row: Row) => string): ReadonlyMap<string, readonly Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}

/** Statements over tables of MLflow that may be of any age: what a version has not is read as absent. */
export interface SqlTables {
  /** The named columns of a table, null where this version has none of the name; undefined without the table. */
  readonly select: (table: string, columns: readonly string[], rest?: string) => string | undefined;
  readonly rows: (sql: string | undefined, values?: readonly (string | number)[]) => Promise<Row[]>;
  /** Rows of a table that belong to these owners, by owner. */
  readonly rowsOf: (
    table: string,
    owner: string,
    columns: readonly string[],
    owners: readonly string[],
    order: string,
  ) => Promise<(id: string) => readonly Row[]>;
  readonly ofWorkspace: (table: string) => string;
  readonly workspaceValue: (table: string) => string[];
}

export function createSqlTables(
  connection: SqlConnection,
  tables: ReadonlyMap<string, ReadonlySet<string>>,
  workspace: string,
): SqlTables {
  function select(table: string, columns: readonly string[], rest = ''): string | undefined {
    const known = tables.get(table);
    if (known === undefined) return undefined;
    const list = columns.map((column) => (known.has(column) ? `t."${column}"` : `null as "${column}"`));
    return `select ${list.join(', ')} from ${table} as t ${rest}`;
  }
  const ofWorkspace = (table: string) => (tables.get(table)?.has('workspace') === true ? ` and t.workspace = ?` : '');
  const workspaceValue = (table: string) => (tables.get(table)?.has('workspace') === true ? [workspace] : []);

  async function rows(sql: string | undefined, values: readonly (string | number)[] = []): Promise<Row[]> {
    return sql === undefined ? [] : await connection.all(sql, values);
  }

  async function rowsOf(
    table: string,
    owner: string,
    columns: readonly string[],
    owners: readonly string[],
    order: string,
  ): Promise<(id: string) => readonly Row[]> {
    const list = connection.inList(`t.${owner}`, owners);
    const found = await rows(select(table, [owner, ...columns], `where ${list.sql} order by ${order}`), [list.value]);
    const byOwner = groupBy(found, (row) => text(row[owner]));
    return (id) => byOwner.get(id) ?? [];
  }

  return { select, rows, rowsOf, ofWorkspace, workspaceValue };
}
