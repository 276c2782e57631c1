import type { LeftBehind } from './source.ts';

/** Links among the files of a store: one that leads out of it would bring over what is none of the store's. */
export interface LeftLinks {
  /** A link that was not followed. */
  add(path: string): void;
  leftBehind(): readonly LeftBehind[];
}

export function createLeftLinks(): LeftLinks {
  const paths = new Set<string>();
  return {
    add: (path) => void paths.add(path),
    leftBehind() {
      const [first] = paths;
      if (first === undefined) return [];
      const what = `links that lead out of their store, to a folder or to nothing, such as ${first} (a copy by "cp -rL" has what they name)`;
      return [{ what, count: paths.size }];
    },
  };
}
