export interface LineageTables {
  readonly lineage_edges: {
    readonly project: string;
    readonly from_ref: string;
    readonly to_ref: string;
    readonly kind: string;
    readonly actor: string;
    readonly created_ms: number;
  };
}
