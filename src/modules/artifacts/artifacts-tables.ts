export type ArtifactState = 'held' | 'loose' | 'condemned' | 'removing';

export interface ArtifactsTables {
  readonly artifacts: {
    readonly sha256: string;
    readonly size_bytes: number;
    readonly state: ArtifactState;
    /** The project that held it last: its removal is told there. */
    readonly project: string;
    /** When it was last held, let go or put. */
    readonly touched_ms: number;
    readonly condemned_ms: number | null;
  };
  readonly artifact_holds: {
    readonly project: string;
    readonly sha256: string;
    readonly owner: string;
    readonly name: string | null;
    readonly created_ms: number;
    readonly expires_ms: number | null;
  };
}
