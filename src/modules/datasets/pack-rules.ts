import type { DatasetPart } from './dataset-types.ts';
import type { Pack } from './packs-store.ts';

/** What readers of a whole version open: packs where there are some, else the parts themselves. */
export interface DatasetFile {
  readonly sha256: string;
  readonly timeMinMs: number | undefined;
  readonly timeMaxMs: number | undefined;
}

const partsInPack = 16;
/** A pack is for small files; larger parts are read well as they are. */
const largestPartBytes = 4 * 1024 * 1024;

/** Stretches of neighbouring small parts that no pack holds yet, in the size of a pack. */
export function stretchesToPack(
  parts: readonly Pick<DatasetPart, 'sizeBytes'>[],
  packs: readonly Pick<Pack, 'from' | 'to'>[],
): readonly { readonly from: number; readonly to: number }[] {
  const stretches: { from: number; to: number }[] = [];
  let from = packs.at(-1)?.to ?? 0;
  for (let at = from; at < parts.length; at += 1) {
    if ((parts[at]?.sizeBytes ?? 0) > largestPartBytes) from = at + 1;
    else if (at + 1 - from === partsInPack) {
      stretches.push({ from, to: at + 1 });
      from = at + 1;
    }
  }
  return stretches;
}

/** The files of a version: a pack stands for its parts when the version holds all of them. */
export function filesOf(parts: readonly DatasetPart[], packs: readonly Pack[]): readonly DatasetFile[] {
  const files: DatasetFile[] = [];
  let at = 0;
  for (const pack of packs) {
    if (pack.to > parts.length) break;
    files.push(...parts.slice(at, pack.from));
    const packed = parts.slice(pack.from, pack.to);
    files.push({
      sha256: pack.sha256,
      timeMinMs: extreme(packed, ({ timeMinMs }) => timeMinMs, Math.min),
      timeMaxMs: extreme(packed, ({ timeMaxMs }) => timeMaxMs, Math.max),
    });
    at = pack.to;
  }
  return [...files, ...parts.slice(at)];
}

/** Undefined when one of them is not known: then nothing may be concluded from the others. */
function extreme(
  parts: readonly DatasetPart[],
  read: (part: DatasetPart) => number | undefined,
  pick: (...values: number[]) => number,
): number | undefined {
  const values = parts.map(read);
  return values.includes(undefined) ? undefined : pick(...values.filter((value) => value !== undefined));
}
