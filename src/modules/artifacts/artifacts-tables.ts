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
  readonly artifact_uploads: {
    readonly upload_id: string;
    readonly project: string;
    readonly path: string;
    /** How many parts the client has announced. */
    readonly part_count: number;
    readonly state: 'open' | 'completed';
    /** When it began or took its last part. */
    readonly active_ms: number;
  };
  readonly artifact_upload_parts: {
    readonly upload_id: string;
    readonly part: number;
    readonly etag: string;
    readonly size_bytes: number;
  };
  readonly artifact_url_keys: {
    readonly name: string;
    readonly secret: string;
  };
}
