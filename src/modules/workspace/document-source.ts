import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
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
  const read: ReadValue = document.errors.length > 0 ? { value: undefined } : toValue(document);
  return {
    file,
    value: read.value,
    problems: [
      ...document.errors.map((error) => ({
        file,
        ...at(error.pos[0]),
        message:
          error.code === 'DUPLICATE_KEY'
            ? `"${keyAt(text, error.pos)}" stands twice in the same mapping`
            : `this is not YAML: ${error.message}`,
      })),
      ...(read.problem !== undefined ? [{ file, line: 1, column: 1, message: read.problem }] : []),
    ],
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

/** Aliases that refer to aliases can make a small text enormous. */
const mostAliases = 100;

interface ReadValue {
  readonly value: unknown;
  readonly problem?: string;
}

function toValue(document: Document): ReadValue {
  try {
    return { value: document.toJS({ maxAliasCount: mostAliases }) as unknown };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { value: undefined, problem: `its aliases cannot be followed (${reason}); write out what they stand for` };
  }
}

const keyAt = (text: string, [from]: readonly [number, number]): string =>
  /^["']?([^"':\s]+)/.exec(text.slice(from))?.[1] ?? '';
