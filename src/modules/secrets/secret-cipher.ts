import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { SecretKey } from './secret-key.ts';

export interface Sealed {
  readonly keyId: string;
  /** Base64, as are ciphertext and tag. */
  readonly nonce: string;
  readonly ciphertext: string;
  readonly tag: string;
}

/** AES-256-GCM with a random 96-bit nonce. `place` is authenticated: a row copied elsewhere does not open. */
export function seal(key: SecretKey, place: string, value: string): Sealed {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce).setAAD(Buffer.from(place));
  const ciphertext = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
  return {
    keyId: key.id,
    nonce: nonce.toString('base64'),
    ciphertext: ciphertext.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
  };
}

/** Undefined when the bytes or the place are not what was sealed. */
export function unseal(key: SecretKey, place: string, sealed: Sealed): string | undefined {
  const tag = Buffer.from(sealed.tag, 'base64');
  const nonce = Buffer.from(sealed.nonce, 'base64');
  if (tag.length !== 16 || nonce.length !== 12) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key.bytes, nonce).setAAD(Buffer.from(place)).setAuthTag(tag);
  try {
    const value = Buffer.concat([decipher.update(Buffer.from(sealed.ciphertext, 'base64')), decipher.final()]);
    return value.toString('utf8');
  } catch {
    return undefined; // the only thing that fails here is the tag
  }
}
