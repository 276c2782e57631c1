/** How an endpoint of MLflow's stands here. */
export interface Endpoint {
  /**
   * Method and path after `/api` and `/ajax-api`, as it is registered here: `GET /2.0/mlflow/logged-models/:modelId`. One
   * that MLflow has outside those prefixes is written whole, and its area says `plain`.
   */
  readonly call: string;
  /**
   * `supported` and `differs` (on purpose) must be answered with a 2xx in the tests of their area; `not yet` must be
   * refused with 404 ENDPOINT_NOT_FOUND or 501 NOT_IMPLEMENTED, which clients tolerate.
   */
  readonly state: 'supported' | 'differs' | 'not yet';
  /** What differs and why, what it is for, or what clients do without it. Needed with `differs`. */
  readonly note?: string;
  /** Differs by being refused, with 404 or 501 as what is not yet there. */
  readonly refused?: true;
  /** What the clients 2.9, 2.22 and 3.1 send differently from the newest. */
  readonly older?: string;
}

/**
 * Endpoints that one test file proves: its last test asks for `unanswered(<name of the area>)`, and
 * `mlflow-conformance.test.ts` holds the table against the routes that are there.
 */
export interface Area {
  readonly title: string;
  readonly about?: string;
  /** Endpoints outside `/api` and `/ajax-api`. */
  readonly plain?: true;
  readonly endpoints: readonly Endpoint[];
}

/** Endpoints of which nothing is to be said but their state. */
export const endpoints = (state: 'supported' | 'not yet', calls: string, note?: string): readonly Endpoint[] =>
  calls
    .trim()
    .split(/\n\s*/)
    .map((call) => ({ call, state, ...(note !== undefined && { note }) }));
