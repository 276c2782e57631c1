export type EvaluationState = 'pending' | 'decided' | 'failed';

/** Rows of migration 0041. */
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
}
