export interface SecretsTables {
  readonly secrets: {
    readonly project: string;
    readonly name: string;
    readonly key_id: string;
    /** Base64, as are ciphertext and tag. */
    readonly nonce: string;
    readonly ciphertext: string;
    readonly tag: string;
    /** JSON: references that may read it. */
    readonly grants: string;
    readonly created_ms: number;
    readonly updated_ms: number;
  };
}
