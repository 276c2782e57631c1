import type { Readable } from 'node:stream';
import type { ModelVersionView } from '#contracts/registry';

/** A registry of models elsewhere, as `tidemill serve <reference>` asks it. */
export interface ModelRegistry {
  /**
   * The version that a number, an alias or `latest` names now. Rejects with an error of the kind `unavailable` when no
   * answer can be had, and with any other when the registry says no.
   */
  find(model: string, at: string): Promise<ModelVersionView>;
  /** The bytes of a file of a version. */
  open(sha256: string): Promise<Readable>;
}

/** A version that is named: `model:late@champion`. */
export interface RegisteredModel {
  readonly project: string;
  readonly name: string;
  /** A number, an alias or `latest`. */
  readonly at: string;
}

/** Whether what is named never becomes another version. */
export const isExact = ({ at }: RegisteredModel): boolean => /^\d+$/.test(at);
