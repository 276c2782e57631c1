export type EvaluationState = 'pending' | 'decided' | 'failed';

/** Rows of migrations 0041, 0121 and 0122. */
export interface EvaluationTables {
  readonly evaluations: {
    id: string;
    project: string;
    promotion_id: string;
    model: string;
    version: number;
    alias: string;
    champion_version: number | null;
    state: EvaluationState;
    gates: string;
    test_reference: string | null;
    label: string;
    job_id: string;
    verdict: string | null;
    result: string | null;
    decisions: string | null;
    error_code: string | null;
    error_message: string | null;
    created_ms: number;
    ended_ms: number | null;
  };
  readonly evaluation_datasets: {
    dataset_id: string;
    project: string;
    name: string;
    digest: string;
    schema_json: string | null;
    record_count: number;
    created_ms: number;
    updated_ms: number;
    created_by: string | null;
    updated_by: string | null;
  };
  readonly evaluation_dataset_tags: { dataset_id: string; tag_key: string; tag_value: string };
  readonly evaluation_dataset_experiments: { dataset_id: string; experiment_id: string };
  readonly evaluation_records: {
    record_id: string;
    dataset_id: string;
    input_hash: string;
    inputs: string;
    outputs: string | null;
    expectations: string | null;
    tags: string;
    source: string | null;
    created_ms: number;
    updated_ms: number;
    created_by: string | null;
    updated_by: string | null;
  };
  readonly evaluation_scorers: {
    scorer_id: string;
    project: string;
    experiment_id: string;
    name: string;
    last_version: number;
  };
  readonly evaluation_scorer_versions: {
    scorer_id: string;
    version: number;
    serialized: string;
    created_ms: number;
  };
  readonly evaluation_scorer_sampling: {
    scorer_id: string;
    config_id: string;
    sample_rate: number;
    filter_string: string | null;
  };
}
