export type Stage = 'None' | 'Staging' | 'Production' | 'Archived';
export type PromotionState = 'open' | 'completed' | 'rejected' | 'rolled-back';
export type CheckState = 'pending' | 'satisfied' | 'refused';

export interface ModelRow {
  model_key: string;
  project: string;
  name: string;
  description: string;
  last_version: number;
  created_ms: number;
  updated_ms: number;
  deleted_ms: number | null;
}

export interface VersionRow {
  model_key: string;
  version: number;
  digest: string | null;
  runtime: string | null;
  signature: string | null;
  predicts: string | null;
  train_ref: string | null;
  test_ref: string | null;
  run_ref: string | null;
  tracking_run_id: string | null;
  logged_model_id: string | null;
  source: string;
  storage_location: string;
  run_link: string;
  description: string;
  stage: Stage;
  created_by: string;
  created_ms: number;
  updated_ms: number;
  deleted_ms: number | null;
}

interface VersionFileRow {
  model_key: string;
  version: number;
  path: string;
  sha256: string;
  size_bytes: number;
}

interface ModelTagRow {
  model_key: string;
  tag_key: string;
  tag_value: string;
}

interface VersionTagRow extends ModelTagRow {
  version: number;
}

export interface AliasRow {
  model_key: string;
  alias: string;
  version: number;
  promotion_id: string | null;
  moved_by: string;
  moved_ms: number;
}

export interface PromotionRow {
  promotion_id: string;
  project: string;
  model_key: string;
  version: number;
  alias: string;
  state: PromotionState;
  previous_version: number | null;
  reason: string;
  created_by: string;
  created_ms: number;
  ended_ms: number | null;
}

export interface PromotionCheckRow {
  promotion_id: string;
  check_name: string;
  ordinal: number;
  state: CheckState;
  verdict: string;
  evidence: string | null;
  approval_id: string | null;
  decided_by: string | null;
  decided_ms: number | null;
}

/** The tables that this module owns. */
export interface RegistryTables {
  registry_models: ModelRow;
  registry_versions: VersionRow;
  registry_version_files: VersionFileRow;
  registry_model_tags: ModelTagRow;
  registry_version_tags: VersionTagRow;
  registry_aliases: AliasRow;
  registry_promotions: PromotionRow;
  registry_promotion_checks: PromotionCheckRow;
}
