import type { Role, TokenKind } from '#contracts/identity';

export interface IdentityTables {
  readonly users: {
    readonly name: string;
    readonly created_ms: number;
    readonly disabled_ms: number | null;
  };
  readonly user_roles: {
    readonly user_name: string;
    /** `*` is all of them. */
    readonly project: string;
    readonly role: Role;
  };
  readonly tokens: {
    readonly id: string;
    readonly digest: string;
    readonly kind: TokenKind;
    readonly name: string;
    readonly user_name: string | null;
    /** Null is all of them. */
    readonly project: string | null;
    readonly role: Role | null;
    readonly attempt: string | null;
    readonly pool: string | null;
    readonly issued_by: string;
    readonly created_ms: number;
    readonly expires_ms: number | null;
    readonly revoked_ms: number | null;
  };
}
