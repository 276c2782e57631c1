/** Rows of migration 0022. */
export interface FeaturesTables {
  readonly feature_views: {
    project: string;
    name: string;
    spec: string;
    sql_text: string | null;
    datasets: string;
    generation: number;
    updated_ms: number;
  };
}
