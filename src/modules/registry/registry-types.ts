import type { Json } from '#contracts/json';
import type { CheckState, PromotionState, Stage } from './registry-tables.ts';

export type { Json };

export interface VersionFile {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface Tag {
  readonly key: string;
  readonly value: string;
}

export interface RegisteredModel {
  /** Internal key, stable through a rename. */
  readonly key: string;
  readonly project: string;
  readonly name: string;
  readonly description: string;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly tags: readonly Tag[];
  readonly aliases: readonly { readonly alias: string; readonly version: number }[];
}

export interface ModelVersion {
  readonly project: string;
  readonly model: string;
  readonly version: number;
  /** sha256 of the main file; absent when the version was registered by a source URI alone. */
  readonly digest: string | undefined;
  /** The files by path relative to the model's folder; empty when the source holds them. */
  readonly files: readonly VersionFile[];
  readonly runtime: string | undefined;
  readonly signature: Json | undefined;
  readonly predicts: Json | undefined;
  readonly trainRef: string | undefined;
  readonly testRef: string | undefined;
  readonly runRef: string | undefined;
  readonly trackingRunId: string | undefined;
  readonly loggedModelId: string | undefined;
  readonly source: string;
  /** Where the bytes really are when `source` was an indirect URI (`models:/m-…`). */
  readonly storageLocation: string;
  readonly runLink: string;
  readonly description: string;
  readonly stage: Stage;
  readonly createdBy: string;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly aliases: readonly string[];
  readonly tags: readonly Tag[];
}

export interface PromotionCheck {
  readonly name: string;
  readonly state: CheckState;
  readonly verdict: string;
  readonly evidence: Json | undefined;
  readonly approvalId: string | undefined;
  readonly decidedBy: string | undefined;
  readonly decidedMs: number | undefined;
}

export interface Promotion {
  readonly promotionId: string;
  readonly project: string;
  readonly model: string;
  readonly version: number;
  readonly alias: string;
  readonly state: PromotionState;
  /** What the alias named before this promotion moved it. */
  readonly previousVersion: number | undefined;
  readonly reason: string;
  readonly createdBy: string;
  readonly createdMs: number;
  readonly endedMs: number | undefined;
  readonly checks: readonly PromotionCheck[];
}

/** What a pipeline says when it proposes a version. */
export interface Proposal {
  readonly project: string;
  readonly model: string;
  /** sha256 of the main file: with the model's name this is the version's identity. */
  readonly digest: string;
  readonly files: readonly VersionFile[];
  readonly runtime: string;
  readonly signature?: Json | undefined;
  readonly predicts?: Json | undefined;
  readonly trainRef?: string | undefined;
  readonly testRef?: string | undefined;
  readonly runRef?: string | undefined;
  readonly trackingRunId?: string | undefined;
  readonly alias: string;
  /** The principal behind the proposal when a loop carries it; default the unit's actor. Four eyes compare with it. */
  readonly requestedBy?: string | undefined;
  /** Required checks: `gate:<expression>`, `approval:<policy>`, `parity`. None: the alias moves at once. */
  readonly checks: readonly string[];
}

export interface ProposedVersion {
  readonly version: number;
  /** The promotion now open for it; absent when this digest was proposed for the alias before and that was decided. */
  readonly promotionId?: string;
  /** An equal digest was registered before. */
  readonly existed: boolean;
}
