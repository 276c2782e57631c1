import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import type { DocumentProblem } from '#contracts/workspace';

export type DocumentPath = readonly (string | number)[];

/** A YAML text with the way back from a path to its line and column. */
export interface DocumentSource {
  readonly file: string;
  readonly value: unknown;
  /** What is wrong with the YAML itself. */
  readonly problems: readonly DocumentProblem[];
  /** Where a path stands; the nearest enclosing node when the path is not there. `key`: the key rather than its value. */
  positionOf(path: DocumentPath, of?: 'key' | 'value'): { readonly line: number; readonly column: number };
}

export function readDocument(file: string, text: string): DocumentSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  return {
    file,
    value: document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 100 }),
    problems: document.errors.map((error) => ({
      file,
      ...at(error.pos[0]),
      message: `this is not YAML: ${error.message}`,
    })),
    positionOf(path, of = 'value') {
      let node: Node | null = document.contents;
      let offset = node?.range?.[0] ?? 0;
      for (const [index, part] of path.entries()) {
        const last = index === path.length - 1;
        if (isMap(node)) {
          const pair: Pair | undefined = node.items.find(
            (item) => isScalar(item.key) && String(item.key.value) === String(part),
          );
          if (pair === undefined) break;
          const key = pair.key as Node;
          const value = pair.value as Node | null;
          offset = (last && of === 'key' ? key.range?.[0] : (value?.range?.[0] ?? key.range?.[0])) ?? offset;
          node = value;
        } else if (isSeq(node)) {
          const item = node.items[Number(part)] as Node | undefined;
          if (item === undefined) break;
          offset = item.range?.[0] ?? offset;
          node = item;
        } else break;
      }
      return at(offset);
    },
  };
}
