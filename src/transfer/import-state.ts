import type { LoggedModelRecord, RunRecord } from '#contracts/transfer';
import type { Expected, KeptFiles } from './import-report.ts';
import { noProgress, type Progress } from './progress.ts';
import type { ArtifactFolder, Source, SourceExperiment } from './source.ts';
import type { TidemillApi } from './target-api.ts';

export interface ImportOptions {
  /** Names; all of them without. */
  readonly experiments?: readonly string[] | undefined;
  /** False: bytes stay where they are, and their addresses are kept. */
  readonly artifacts: boolean;
  /** Reads everything again, also what has not changed since it was brought over. */
  readonly again: boolean;
  readonly signal: AbortSignal;
  /** Hears of each step forward; the object is the same all the time. */
  onProgress(progress: Progress): void;
}

/** What was found in the folder of a run or logged model. */
interface FoundFiles {
  readonly files: number;
  readonly bytes: number;
  readonly digest: string;
}

/** An import under way: what is known of it so far. */
export interface ImportState {
  readonly source: Source;
  readonly api: TidemillApi;
  readonly options: ImportOptions;
  readonly progress: Progress;
  /** By id of run or logged model. */
  readonly expected: ReadonlyMap<string, Expected>;
  /** By id of run or logged model: where its bytes are now. */
  readonly places: Map<string, string>;
  readonly kept: ReadonlyMap<string, KeptFiles>;
  readonly notes: readonly string[];
  /** What was left, in words. */
  readonly left: readonly string[];
  readonly step: () => void;
  /** Hears of a record in which a NUL was replaced. */
  readonly noteNul: (noun: string) => (item: { readonly id?: string; readonly name?: string }) => void;
  readonly expect: (
    record: RunRecord | LoggedModelRecord,
    experiment: SourceExperiment,
    points: number,
    files: FoundFiles,
  ) => void;
  /** Counts bytes that stay where they are, and says where that is. */
  readonly keep: (folder: ArtifactFolder, owner: string) => { readonly keptAt?: string };
  /** Hears of what stays where it is, in words. */
  readonly leave: (what: string) => void;
}

export function createImportState(source: Source, api: TidemillApi, options: ImportOptions): ImportState {
  const progress = noProgress();
  const expected = new Map<string, Expected>();
  const kept = new Map<string, KeptFiles>();
  const notes: string[] = [];
  const left: string[] = [];
  return {
    source,
    api,
    options,
    progress,
    expected,
    kept,
    notes,
    left,
    places: new Map(),
    step() {
      options.signal.throwIfAborted();
      options.onProgress(progress);
    },
    noteNul: (noun) => (item) =>
      void notes.push(`${noun} ${item.id ?? item.name ?? ''} had a NUL character in a text, which became U+FFFD`),
    expect(record, experiment, points, files) {
      expected.set(record.id, {
        experiment: experiment.record.name,
        points,
        params: new Set(record.params.map(({ key }) => key)).size,
        tags: new Set(record.tags.map(({ key }) => key)).size,
        ...files,
      });
    },
    leave: (what) => void left.push(what),
    keep(folder, owner) {
      if ('files' in folder) return {};
      const scheme = /^[a-z][a-z0-9+.-]+:/i.exec(folder.keptAt)?.[0] ?? 'file:';
      const why = `${scheme} ${folder.why}`;
      const found = kept.get(why) ?? { why: folder.why, scheme, count: 0, owner, example: folder.keptAt };
      kept.set(why, { ...found, count: found.count + 1 });
      return folder.keptAt === '' ? {} : { keptAt: folder.keptAt };
    },
  };
}
