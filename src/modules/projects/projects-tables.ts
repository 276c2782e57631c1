export interface ProjectsTables {
  readonly projects: {
    readonly name: string;
    readonly description: string;
    /** JSON of a GoalSpec. */
    readonly goal: string | null;
    /** Null for `default`, which comes with the database. */
    readonly created_ms: number | null;
  };
}
