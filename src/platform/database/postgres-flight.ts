import type { Duplex } from 'node:stream';
import type { ClientBase, CustomTypesConfig, QueryConfig } from 'pg';
import utils from 'pg/lib/utils.js';

/** What PostgreSQL answers to one query. */
export interface PostgresAnswer {
  readonly rows: readonly Record<string, unknown>[];
  readonly command: string;
  /** Rows that were read or changed; undefined for commands without. */
  readonly rowCount: number | undefined;
}

/** Sends queries over one client. */
export type SendQuery = (query: QueryConfig<unknown[]>) => Promise<PostgresAnswer>;

/** One column of an answer, and what makes a value of its text. */
interface Column {
  readonly name: string;
  readonly parse: (text: string) => unknown;
}

interface FieldDescription {
  readonly name: string;
  readonly dataTypeID: Parameters<CustomTypesConfig['getTypeParser']>[0];
}

/** The part of pg's connection that a query of one's own sends its messages with. */
interface Wire {
  readonly stream: Duplex;
  parse(message: { readonly name: string; readonly text: string }): void;
  bind(message: { readonly statement: string; readonly values: readonly (string | Buffer | null)[] }): void;
  describe(message: { readonly type: 'P' }): void;
  execute(message: Record<string, never>): void;
  close(message: { readonly type: 'S'; readonly name: string }): void;
  sync(): void;
  sendCopyFail(reason: string): void;
}

/** A query on its way. */
export interface Passenger {
  readonly name: string;
  readonly text: string;
  readonly values: readonly (string | Buffer | null)[];
  readonly resolve: (answer: PostgresAnswer) => void;
  readonly reject: (error: unknown) => void;
  readonly rows: Record<string, unknown>[];
  columns: readonly Column[] | undefined;
  /** An answer that could not be read. */
  failure?: Error;
}

/** What a client's server knows by name. */
interface Statements {
  /** Those that were answered, with the columns of their answers. */
  readonly known: Map<string, readonly Column[]>;
  /** Those that failed, before or after they were parsed. */
  readonly unsure: Set<string>;
}

/** Names that a client's server keeps, those used last: each is a plan in its memory, and texts of searches have no end. */
const mostKnown = 200;
const statementsOf = new WeakMap<ClientBase, Statements>();

function takeStatements(client: ClientBase): Statements {
  const statements = statementsOf.get(client) ?? { known: new Map(), unsure: new Set() };
  statementsOf.set(client, statements);
  return statements;
}

/** Queries of one transaction: they wait until it has a client. */
export interface Flights {
  readonly send: SendQuery;
  /** From now on queries leave by this client, those that wait behind `first`. */
  depart(client: ClientBase, first?: QueryConfig<unknown[]>): void;
  /** Those that wait, for others to carry. */
  handOver(): readonly Passenger[];
  /** They leave as if they had been sent here. */
  carry(passengers: readonly Passenger[]): void;
  /** From now on nothing leaves: what waits, and what would come, fails with this error, as after a query that failed. */
  ground(error: Error): void;
}

/** The first failure of a transaction: after it nothing may leave, or it would run outside. */
interface Ground {
  failure?: Error;
}

/**
 * Queries that are sent in one turn of the event loop leave in one message and are answered in one: a packet, a wake-up
 * and a flush for all of them, where pg's own queries have one each, also in its pipeline mode. The server runs them in
 * their order and after a failure none of the rest (one Sync ends them all): so `begin` may leave with what follows it,
 * and `commit` with what goes before it. A query that is skipped, or comes later, fails with the error of the one that failed.
 *
 * PostgreSQL documentation, "Message Flow", extended query and pipelining.
 */
export function createFlights(types: CustomTypesConfig): Flights {
  const ground: Ground = {};
  let waiting: Passenger[] = [];
  let client: ClientBase | undefined;
  let scheduled = false;

  function leave(): void {
    scheduled = false;
    const passengers = waiting;
    waiting = [];
    if (client !== undefined && passengers.length > 0)
      client.query(createFlight(passengers, takeStatements(client), types, ground));
  }
  function schedule(): void {
    if (client === undefined || scheduled) return;
    scheduled = true;
    setImmediate(leave);
  }
  const wait = ({ name = '', text, values = [] }: QueryConfig<unknown[]>, put: (one: Passenger) => void) =>
    new Promise<PostgresAnswer>((resolve, reject) => {
      const prepared = values.map((value) => utils.prepareValue(value));
      put({ name, text, values: prepared, resolve, reject, rows: [], columns: undefined });
    });

  return {
    send(query) {
      const answer = wait(query, (one) => waiting.push(one));
      schedule();
      return answer;
    },
    depart(its, first) {
      client = its;
      // when it fails nothing else leaves, and whatever was sent hears of it
      if (first !== undefined) wait(first, (one) => waiting.unshift(one)).catch(() => undefined);
      leave();
    },
    handOver() {
      const passengers = waiting;
      waiting = [];
      return passengers;
    },
    carry(passengers) {
      waiting.push(...passengers);
      schedule();
    },
    ground(error) {
      ground.failure ??= error;
      if (client === undefined) for (const { reject } of waiting.splice(0)) reject(error);
    },
  };
}

/** What pg's client asks of a query that is not its own, as of a cursor. */
function createFlight(
  passengers: readonly Passenger[],
  { known, unsure }: Statements,
  types: CustomTypesConfig,
  ground: Ground,
) {
  let left = false;
  let answered = 0;
  const current = (): Passenger => {
    const passenger = passengers[answered];
    if (passenger === undefined) throw new Error('PostgreSQL answered more queries than were sent');
    return passenger;
  };

  /** What was used last is forgotten last. */
  function keep(name: string, columns: readonly Column[]): void {
    known.delete(name);
    known.set(name, columns);
  }

  /** Between flights: within one, a statement may be parsed that is not known yet. */
  function forgetOldest(wire: Wire): void {
    for (const name of known.keys()) {
      if (known.size <= mostKnown) return;
      known.delete(name);
      wire.close({ type: 'S', name });
    }
  }

  function sendOne(wire: Wire, passenger: Passenger, parsed: Set<string>): void {
    const { name, text, values } = passenger;
    passenger.columns = known.get(name);
    if (passenger.columns !== undefined) keep(name, passenger.columns);
    if (passenger.columns === undefined && !parsed.has(name)) {
      if (unsure.has(name)) wire.close({ type: 'S', name });
      wire.parse({ name, text });
      if (name !== '') parsed.add(name);
    }
    wire.bind({ statement: name, values });
    if (passenger.columns === undefined) wire.describe({ type: 'P' });
    wire.execute({});
  }

  return {
    /** An error that is returned comes to `handleError`. */
    submit(connection: unknown): Error | undefined {
      if (ground.failure !== undefined) return ground.failure;
      left = true;
      const wire = connection as Wire;
      const parsed = new Set<string>();
      wire.stream.cork();
      try {
        forgetOldest(wire);
        for (const passenger of passengers) sendOne(wire, passenger, parsed);
        wire.sync();
      } finally {
        wire.stream.uncork();
      }
      return undefined;
    },
    handleRowDescription({ fields }: { readonly fields: readonly FieldDescription[] }): void {
      current().columns = fields.map(({ name, dataTypeID }) => ({
        name,
        parse: types.getTypeParser(dataTypeID, 'text'),
      }));
    },
    handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
      const passenger = current();
      try {
        passenger.rows.push(parseRow(passenger.columns ?? [], fields));
      } catch (error) {
        passenger.failure ??= error instanceof Error ? error : new Error(String(error));
      }
    },
    handleCommandComplete({ text }: { readonly text: string }): void {
      const { name, columns = [], rows, failure, resolve, reject } = current();
      if (name !== '') keep(name, columns);
      unsure.delete(name);
      answered += 1;
      if (failure === undefined) return resolve({ rows, ...parseCommand(text) });
      ground.failure ??= failure;
      reject(failure);
    },
    handleEmptyQuery(): void {
      const { resolve } = current();
      answered += 1;
      resolve({ rows: [], command: '', rowCount: undefined });
    },
    /** `copy … from stdin`: nobody has anything to give. */
    handleCopyInResponse(connection: unknown): void {
      const wire = connection as Wire;
      wire.sendCopyFail('units do not copy');
      wire.sync(); // the one that is under way was overread
    },
    handleCopyData(): void {
      // `copy … to stdout`: nobody listens
    },
    handleReadyForQuery(): void {
      // by now every query has been answered or has failed
    },
    handleError(error: Error): void {
      ground.failure ??= error;
      const failed = passengers.slice(answered);
      const [first] = failed;
      if (left && first !== undefined && first.name !== '') {
        known.delete(first.name);
        unsure.add(first.name);
      }
      for (const { reject } of failed) reject(error);
    },
  };
}

function parseRow(columns: readonly Column[], texts: readonly (string | null)[]): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const [index, { name, parse }] of columns.entries()) {
    const text = texts[index];
    row[name] = text === null || text === undefined ? null : parse(text);
  }
  return row;
}

/** `INSERT 0 5`, `UPDATE 3`, `SELECT 2`, `BEGIN`. */
function parseCommand(text: string): { readonly command: string; readonly rowCount: number | undefined } {
  const [command = '', ...counts] = text.split(' ');
  const last = Number(counts.at(-1) ?? Number.NaN);
  return { command, rowCount: Number.isNaN(last) ? undefined : last };
}
