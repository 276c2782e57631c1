import type { IngestionState } from '#contracts/datasets';

/** Rows of migration 0021. */
export interface DatasetsTables {
  readonly datasets: {
    project: string;
    name: string;
    spec: string | null;
    current_version: number;
    updated_ms: number;
  };
  readonly dataset_versions: {
    project: string;
    name: string;
    version: number;
    rows: number | null;
    parts: number;
    size_bytes: number;
    columns: string;
    time_column: string | null;
    time_min_ms: number | null;
    time_max_ms: number | null;
    producer: string | null;
    profile_sha256: string | null;
    created_ms: number;
  };
  readonly dataset_parts: {
    project: string;
    name: string;
    set_version: number;
    position: number;
    first_version: number;
    sha256: string;
    size_bytes: number;
    rows: number;
    time_min_ms: number | null;
    time_max_ms: number | null;
    source: string;
    source_sha256: string;
    created_ms: number;
  };
  readonly dataset_packs: {
    project: string;
    name: string;
    from_position: number;
    to_position: number;
    sha256: string;
    size_bytes: number;
  };
  readonly dataset_ingestions: {
    id: string;
    project: string;
    name: string;
    state: IngestionState;
    files: string;
    job_id: string | null;
    version: number | null;
    checks: string | null;
    error_code: string | null;
    error_message: string | null;
    created_ms: number;
    ended_ms: number | null;
  };
}
