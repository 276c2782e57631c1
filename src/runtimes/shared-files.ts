import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

/** What is open for a file, once for all who have opened it: by one name or by several, as the hard links of model sets are. */
export interface SharedFiles<T> {
  /** Its file must stand for itself, and not name others beside it: then it is opened anew. */
  open(path: string): Promise<SharedFile<T>>;
  /** All that is open, with a name under which its file still lies. */
  list(): readonly { readonly value: T; readonly path: string }[];
}

export interface SharedFile<T> {
  readonly value: T;
  /** Closes it when nobody else has it open; a second call does nothing. */
  release(): Promise<void>;
}

interface Entry<T> {
  readonly opened: Promise<T>;
  value: T | undefined;
  /** Names by which it was opened, one a holder. */
  readonly paths: Map<symbol, string>;
  isWhole: Promise<boolean> | undefined;
}

export function createSharedFiles<T>(options: {
  readonly open: (path: string) => Promise<T>;
  readonly close: (value: T) => Promise<void>;
  /** Whether what the file says is all in it. */
  readonly isWhole: (path: string) => Promise<boolean>;
}): SharedFiles<T> {
  const entries = new Set<Entry<T>>();
  const byFile = new Map<string, Entry<T>>();

  function begin(path: string): Entry<T> {
    const entry: Entry<T> = { opened: options.open(path), value: undefined, paths: new Map(), isWhole: undefined };
    entries.add(entry);
    return entry;
  }

  /** The holder is there in the turn in which it is found, so that it cannot go meanwhile. */
  async function hold(path: string, holder: symbol): Promise<Entry<T>> {
    const file = await nameOf(path); // without one whatever reads it says why it cannot
    const known = file === undefined ? undefined : byFile.get(file);
    if (known !== undefined) known.isWhole ??= options.isWhole(path).catch(() => false);
    const isShared = (await known?.isWhole) === true && known !== undefined && entries.has(known);
    const entry = isShared ? known : begin(path);
    entry.paths.set(holder, path);
    if (file !== undefined && !byFile.has(file)) byFile.set(file, entry);
    return entry;
  }

  function forget(entry: Entry<T>): void {
    entries.delete(entry);
    for (const [file, known] of byFile) if (known === entry) byFile.delete(file);
  }

  return {
    async open(path) {
      const holder = Symbol(path);
      const entry = await hold(path, holder);
      let value: T;
      try {
        value = await entry.opened;
      } catch (error) {
        forget(entry);
        throw error;
      }
      entry.value = value;
      return {
        value,
        async release() {
          if (!entry.paths.delete(holder) || entry.paths.size > 0) return;
          forget(entry);
          await options.close(value);
        },
      };
    },
    list() {
      return [...entries].flatMap(({ value, paths: [first] }) =>
        value === undefined || first === undefined ? [] : [{ value, path: first[1] }],
      );
    },
  };
}

/** The same for all names of a file, another when it is written anew. */
async function nameOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found && `${found.dev}/${found.ino}/${found.size}/${found.mtimeNs}`;
}

/** Whether a file has these bytes anywhere. */
export async function hasBytes(path: string, wanted: Buffer): Promise<boolean> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2 })) {
    const bytes = Buffer.concat([rest, chunk as Buffer]);
    if (bytes.includes(wanted)) return true;
    rest = bytes.subarray(Math.max(0, bytes.length - wanted.length + 1));
  }
  return false;
}
