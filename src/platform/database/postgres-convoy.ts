import type { ClientBase, CustomTypesConfig } from 'pg';
import { createFlights, type Passenger } from './postgres-flight.ts';

/**
 * Units that wait for none of their queries share transactions.
 *
 *   begin
 *     for each unit:  its queries, in the order in which they were sent
 *   commit            (one flush of the server's log, one message each way)
 *   answers
 *
 * Nothing of a unit runs between the queries of another, so this is as serial as a transaction for each. A few are under way
 * at once (one is made or read here, one runs, one is flushed); what arrives meanwhile fills the next. One that fails leaves
 * nothing written, and whose fault it is does not show: its units are run again, each by itself.
 */
export interface Convoys {
  join(queries: readonly Passenger[]): Passage;
}

/** Of one unit in a transaction that it may share. */
export interface Passage {
  /** Resolves after the commit. */
  readonly ended: Promise<void>;
  /** Nothing is written, and another unit may be why. */
  failedInCompany(): boolean;
}

/** Does work in a transaction with a client of its own; what fails inside is rolled back. */
export type Transact = <T>(work: (client: ClientBase) => Promise<T>) => Promise<T>;

/** Bounds how long the first of a transaction waits for its last. */
const mostUnits = 16;
const mostUnderWay = 3;

export const begin = { name: 'begin', text: 'begin isolation level serializable' };
export const commit = { name: 'commit', text: 'commit' };
/**
 * A unit that waits for a lock shall not hold up those that travel with it; and two transactions that lock the same rows
 * in different orders would wait for each other a second, until the server looks for that.
 */
const waitBriefly = { name: 'wait-briefly', text: "set local lock_timeout = '50ms'" };

interface Waiting {
  readonly queries: readonly Passenger[];
  readonly resolve: () => void;
  readonly reject: (error: unknown, inCompany: boolean) => void;
}

export function createConvoys(transact: Transact, types: CustomTypesConfig): Convoys {
  const waiting: Waiting[] = [];
  let underWay = 0;
  let scheduled = false;

  async function travel(units: readonly Waiting[]): Promise<void> {
    const inCompany = units.length > 1;
    try {
      await transact(async (client) => {
        const flights = createFlights(types);
        if (inCompany) flights.send(waitBriefly).catch(() => undefined); // then the commit fails
        for (const { queries } of units) flights.carry(queries);
        const committed = flights.send(commit);
        flights.depart(client, begin);
        await committed;
      });
      for (const { resolve } of units) resolve();
    } catch (error) {
      for (const { reject } of units) reject(error, inCompany);
    }
  }

  function leave(): void {
    scheduled = false;
    while (waiting.length > 0 && underWay < mostUnderWay) {
      underWay += 1;
      void travel(waiting.splice(0, mostUnits)).finally(() => {
        underWay -= 1;
        schedule();
      });
    }
  }

  /** At the end of the turn: what arrives together leaves together. */
  function schedule(): void {
    if (scheduled || waiting.length === 0 || underWay >= mostUnderWay) return;
    scheduled = true;
    setImmediate(leave);
  }

  return {
    join(queries) {
      let failedInCompany = false;
      const ended = new Promise<void>((resolve, reject) => {
        const refuse = (error: unknown, inCompany: boolean) => {
          failedInCompany = inCompany;
          reject(error instanceof Error ? error : new Error(String(error)));
        };
        waiting.push({ queries, resolve, reject: refuse });
      });
      schedule();
      return { ended, failedInCompany: () => failedInCompany };
    },
  };
}
