import { createHmac } from 'node:crypto';
import { formatReference, namePattern } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import { seal, unseal } from './secret-cipher.ts';
import { loadSecretKey, type SecretKey } from './secret-key.ts';
import type { SecretBlotter, SecretMask } from './secret-mask.ts';
import {
  deleteSecret,
  findSecret,
  listAllSecrets,
  listSecretsAfter,
  type Secret,
  type StoredSecret,
  upsertSecret,
} from './secret-store.ts';
import { secretErrors } from './secrets-errors.ts';

/** Values that must not be read by whoever reads the database, the log or the page. */
export interface SecretsApi {
  /**
   * Keeps a value under a name, over the one that is there. `grants` are references that may read it (`pipeline:train`,
   * `job:*`); default: everything in the project, or what the replaced one had. SECRET_NAME_INVALID.
   */
  put(unit: Unit, project: string, name: string, value: string, grants?: readonly string[]): Promise<Secret>;
  /** The value, for `grantee` (a reference). SECRET_NOT_FOUND, SECRET_NOT_GRANTED, SECRET_UNREADABLE. */
  reveal(reader: Reader, project: string, name: string, grantee: string): Promise<string>;
  /**
   * Tells one value from another without giving either away: a digest under the key of this home. For `grantee`; throws
   * as `reveal` does.
   */
  fingerprint(reader: Reader, project: string, name: string, grantee: string): Promise<string>;
  /** Without its value. SECRET_NOT_FOUND. */
  get(reader: Reader, project: string, name: string): Promise<Secret>;
  /** By name, without values. */
  list(
    reader: Reader,
    project: string,
    page?: { readonly after?: string; readonly limit?: number },
  ): Promise<readonly Secret[]>;
  /** SECRET_NOT_FOUND. */
  remove(unit: Unit, project: string, name: string): Promise<void>;
  /** Blots every value that this process knows out of a text. Values under four characters are left. */
  readonly maskSecrets: (text: string) => string;
  /** The same for a file that is read in pieces. */
  readonly blotter: SecretBlotter;
}

const nameShape = new RegExp(namePattern);
const everything = ['*'];
const placeOf = (project: string, name: string): string => `${project}/${name}`;

export function createSecretService(
  keyFile: string,
  mask: SecretMask,
): SecretsApi & {
  /** Reads the key and learns what is to be masked. */
  open(reader: Reader): Promise<void>;
} {
  let key: SecretKey | undefined;
  const useKey = (): SecretKey => (key ??= loadSecretKey(keyFile));

  function openSecret({ project, name, sealed }: StoredSecret): string {
    const its = useKey();
    if (sealed.keyId !== its.id)
      throw secretErrors.SECRET_UNREADABLE(name, `it was sealed with another key than the one in ${keyFile}`);
    const value = unseal(its, placeOf(project, name), sealed);
    if (value === undefined) throw secretErrors.SECRET_UNREADABLE(name, 'its row was changed');
    mask.add(value);
    return value;
  }

  async function reveal(reader: Reader, project: string, name: string, grantee: string): Promise<string> {
    const secret = await findSecret(reader, project, name);
    if (secret === undefined) throw secretErrors.SECRET_NOT_FOUND(name, project);
    if (!isGranted(secret.grants, grantee)) throw secretErrors.SECRET_NOT_GRANTED(name, grantee);
    return openSecret(secret);
  }

  return {
    async put(unit, project, name, value, grants) {
      if (!nameShape.test(name)) throw secretErrors.SECRET_NAME_INVALID(name);
      const known = await findSecret(unit, project, name);
      const secret: StoredSecret = {
        project,
        name,
        grants: grants ?? known?.grants ?? everything,
        createdMs: known?.createdMs ?? unit.nowMs,
        updatedMs: unit.nowMs,
        sealed: seal(useKey(), placeOf(project, name), value),
      };
      mask.add(value);
      await upsertSecret(unit, secret);
      await unit.emit({
        type: 'secret.put',
        project,
        subject: formatReference('secret', name),
        data: { secret: name, replaced: known !== undefined },
      });
      return secret;
    },

    reveal,

    async fingerprint(reader, project, name, grantee) {
      const value = await reveal(reader, project, name, grantee);
      return createHmac('sha256', useKey().bytes).update(`fingerprint\0${value}`).digest('hex');
    },

    async get(reader, project, name) {
      const secret = await findSecret(reader, project, name);
      if (secret === undefined) throw secretErrors.SECRET_NOT_FOUND(name, project);
      return secret;
    },

    list: (reader, project, page = {}) => listSecretsAfter(reader, project, page.after, page.limit ?? 1000),

    async remove(unit, project, name) {
      if (!(await deleteSecret(unit, project, name))) throw secretErrors.SECRET_NOT_FOUND(name, project);
      await unit.emit({
        type: 'secret.removed',
        project,
        subject: formatReference('secret', name),
        data: { secret: name },
      });
    },

    maskSecrets: mask.mask,
    blotter: mask.blotter,

    async open(reader) {
      useKey();
      for (const secret of await listAllSecrets(reader)) {
        // One that cannot be opened cannot be printed either; `reveal` says so to whoever needs it.
        if (secret.sealed.keyId !== useKey().id) continue;
        const value = unseal(useKey(), placeOf(secret.project, secret.name), secret.sealed);
        if (value !== undefined) mask.add(value);
      }
    },
  };
}

/** `*` is everything, `job:*` every job; else the very reference, or one of its versions. */
function isGranted(grants: readonly string[], grantee: string): boolean {
  return grants.some(
    (grant) =>
      grant === '*' ||
      grant === grantee ||
      grantee.startsWith(`${grant}@`) ||
      (grant.endsWith(':*') && grantee.startsWith(grant.slice(0, -1))),
  );
}
