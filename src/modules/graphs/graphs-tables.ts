export type GraphState = 'pending' | 'made' | 'waiting' | 'refused';

export interface GraphRow {
  project: string;
  name: string;
  /** JSON of a GraphSpec. */
  spec: string;
  generation: number;
  state: GraphState;
  reason: string | null;
  version: number | null;
  /** JSON list of references. */
  members: string;
  created_ms: number;
  updated_ms: number;
}

/** The tables that this module owns. */
export interface GraphsTables {
  graphs: GraphRow;
}
