import { createHash } from 'node:crypto';
import { type CompiledQuery, type Expression, type Kysely, type QueryResult, sql } from 'kysely';
import type { Assumption, Reader } from './database/types.ts';

type Value = string | number | null;

/** Stands in a query for the parameter of this name until the query is run. */
class Placeholder {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** What Kysely's builders and its `sql` have in common. */
interface Built<Row> {
  compile(db: Kysely<unknown>): CompiledQuery<Row>;
}

/** A compiled query that a connection may keep prepared on the server, under a name that stands for its text. */
export interface NamedQuery<Row = unknown> extends CompiledQuery<Row> {
  readonly name?: string;
}

/**
 * A query whose text is the same whatever its parameters: built and compiled at its first use in each dialect, afterwards
 * only filled in. Building and compiling costs about as much as SQLite needs to answer a small query, so this is for
 * what is asked many times a second; PostgreSQL keeps such a query parsed and planned for each connection. `build` must not look at a parameter, only name it and put it in its place.
 */
export function prepareQuery<Row = never, Parameters extends Readonly<Record<string, Value>> = Record<string, never>>(
  build: (reader: Reader, parameters: Parameters) => Built<Row>,
): (reader: Reader, parameters: Parameters) => Promise<QueryResult<Row>> {
  const compiled = new Map<Reader['dialect'], NamedQuery<Row>>();
  const placeholders = new Proxy({}, { get: (_, name) => new Placeholder(String(name)) }) as Parameters;
  return (reader, parameters) => {
    const query = reader.query<unknown>();
    let template = compiled.get(reader.dialect);
    if (template === undefined) {
      const built = build(reader, placeholders).compile(query);
      template = { ...built, name: nameOf(built.sql) };
      compiled.set(reader.dialect, template);
    }
    const filled = template.parameters.map((value) => (value instanceof Placeholder ? parameters[value.name] : value));
    return query.executeQuery({ ...template, parameters: filled });
  };
}

/** A query whose text is put together anew each time but often comes out the same: PostgreSQL keeps it parsed and planned. */
export function executeNamed<Row>(reader: Reader, built: Built<Row>): Promise<QueryResult<Row>> {
  const query = reader.query<unknown>();
  const compiled = built.compile(query);
  const named: NamedQuery<Row> = { ...compiled, name: nameOf(compiled.sql) };
  return query.executeQuery(named);
}

const nameOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);

/** A query as an assumption: that it has a row (`Unit.assume`). */
export function prepareAssumption<Parameters extends Readonly<Record<string, Value>>>(
  build: (reader: Reader, parameters: Parameters) => Expression<unknown>,
): (parameters: Parameters) => Assumption {
  const ask = prepareQuery<{ held: number }, Parameters>(
    (reader, parameters) => sql`select count(*) as held from ${build(reader, parameters)} as assumed`,
  );
  const insist = prepareQuery<never, Parameters>(
    (reader, parameters) => sql`select 1 / count(*) as held from ${build(reader, parameters)} as assumed`,
  );
  return (parameters) => ({
    ask: async (reader) => (await ask(reader, parameters)).rows[0]?.held !== 0,
    insist: (reader) => insist(reader, parameters),
  });
}
