/** How one thing that a protocol has stands here: a call, something a request may hold, or a failure. */
export interface ConformanceRow {
  /** A call (`GET /v2/models/{model}`), a feature or a failure in words; unique in its protocol. */
  readonly what: string;
  /** `differs` is on purpose, and its note says why; `not yet` is refused in words. */
  readonly state: 'supported' | 'differs' | 'not yet';
  /** What differs and why, or what to know. Needed unless supported. */
  readonly note?: string;
}

export interface ConformanceSection {
  readonly title: string;
  readonly about?: string;
  readonly rows: readonly ConformanceRow[];
}

/**
 * One protocol of the data plane. docs/reference/serving.md is printed from these tables; a test file proves each row by
 * `proveProtocol` (`testing/prove-protocol.ts`), which refuses a row without a proof and a proof without a row.
 */
export interface ConformanceProtocol {
  readonly title: string;
  readonly about: string;
  readonly sections: readonly ConformanceSection[];
}

/** Rows of which nothing is to be said. */
export const supported = (...names: readonly string[]): readonly ConformanceRow[] =>
  names.map((what) => ({ what, state: 'supported' }));
