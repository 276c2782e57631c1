import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { secretErrors } from './secrets-errors.ts';

export interface SecretKey {
  /** Names the key without giving it away. */
  readonly id: string;
  readonly bytes: Buffer;
}

/** Reads the key from its file, which is made when there is none. Synchronous, so that units may cause it. */
export function loadSecretKey(file: string): SecretKey {
  const text = read(file) ?? create(file);
  if (!/^[0-9a-f]{64}$/.test(text))
    throw secretErrors.SECRET_KEY_UNAVAILABLE(file, 'it does not hold 64 hexadecimal digits');
  const bytes = Buffer.from(text, 'hex');
  return { id: createHash('sha256').update('tidemill key').update(bytes).digest('hex').slice(0, 16), bytes };
}

function read(file: string): string | undefined {
  try {
    const mode = statSync(file).mode & 0o777;
    if (process.platform !== 'win32' && (mode & 0o077) !== 0)
      throw secretErrors.SECRET_KEY_UNAVAILABLE(
        file,
        `others can read it (mode ${mode.toString(8)}); run chmod 600 on it`,
      );
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Written aside and linked into place: the file appears whole, and never over a key that is there. */
function create(file: string): string {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    chmodSync(draft, 0o600); // whatever the umask is
    linkSync(draft, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    unlinkSync(draft);
  }
  const made = read(file);
  if (made === undefined) throw secretErrors.SECRET_KEY_UNAVAILABLE(file, 'it vanished while it was made');
  return made;
}
