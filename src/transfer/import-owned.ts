import {
  checkImported,
  type ImportMark,
  type LoggedModelRecord,
  markImported,
  type RunRecord,
} from '#contracts/transfer';
import { isOddPath } from './artifact-path.ts';
import type { ImportState } from './import-state.ts';
import { digestOfLines, type FileToSend, sendFiles } from './send-files.ts';
import {
  type ArtifactFolder,
  printOf,
  requireId,
  type SourceExperiment,
  type SourceModel,
  type SourceRun,
} from './source.ts';
import { TransferError } from './transfer-error.ts';

const idsAtOnce = 500;
/** The digest of no files. */
const noFiles = digestOfLines([]);

/** A run or logged model on its way. */
interface Travelling<Given extends RunRecord | LoggedModelRecord> {
  readonly record: Given;
  readonly print: string;
  readonly folder: ArtifactFolder;
  /** Where its files go: the path below `mlflow-artifacts:/`. */
  readonly path: string;
}

interface Thing<Given extends RunRecord | LoggedModelRecord> {
  readonly record: Given;
  readonly artifactUri: string;
}

/** The digest of what the source says of a thing; the points of a logged model are part of its record. */
export const printOfRun = ({ record, hint }: SourceRun): string => printOf(record, hint);
export const printOfModel = ({ record }: SourceModel): string => printOf(record, undefined);

/** Of a page of runs or logged models, those that are not wholly here, as they will be here. */
export async function setOut<Given extends RunRecord | LoggedModelRecord, One extends Thing<Given>>(
  state: ImportState,
  page: readonly One[],
  experiment: SourceExperiment,
  to: {
    readonly noun: 'run' | 'logged model';
    /** Of the experiment, which may be made for it. */
    readonly idHere: () => Promise<string>;
    readonly pathOf: (experimentId: string, id: string) => string;
    readonly printOf: (thing: One) => string;
  },
): Promise<{ readonly open: readonly One[]; readonly travelling: readonly Travelling<Given>[] }> {
  for (const { record } of page) requireId(to.noun, record.id);
  const marks = await marksOf(state.api, page);
  const experimentId = await to.idHere();
  const pathOf = (id: string): string => to.pathOf(experimentId, id);
  const folders = await foldersOf(state, page, pathOf);
  const open = notYet(state, page, marks, experiment, to.printOf);
  const travelling = open.map((thing) => {
    const { id } = thing.record;
    const folder = folders.get(id) ?? { keptAt: '', why: 'it has no address' };
    const record: Given = { ...thing.record, experimentId, ...state.keep(folder, `${to.noun} ${id}`) };
    return { record, print: to.printOf(thing), folder, path: pathOf(id) };
  });
  return { open, travelling };
}

/** The files of each; where they will be is kept for the registry, which names them. */
async function foldersOf(
  { source, options, places }: ImportState,
  things: readonly Thing<RunRecord | LoggedModelRecord>[],
  pathOf: (id: string) => string,
): Promise<ReadonlyMap<string, ArtifactFolder>> {
  const folders = new Map<string, ArtifactFolder>();
  for (const {
    record: { id },
    artifactUri,
  } of things) {
    const folder = options.artifacts
      ? await source.artifacts(artifactUri, id)
      : { keptAt: artifactUri, why: 'artifacts were not asked for' };
    folders.set(id, folder);
    if ('files' in folder) places.set(id, `mlflow-artifacts:/${pathOf(id)}`);
  }
  return folders;
}

/** What is marked of each here. One that another project has ends the import before anything of its page is written. */
async function marksOf(
  api: ImportState['api'],
  things: readonly Thing<RunRecord | LoggedModelRecord>[],
): Promise<ReadonlyMap<string, ImportMark>> {
  const marks = new Map<string, ImportMark>();
  const ids = things.map(({ record }) => record.id);
  for (let at = 0; at < ids.length; at += idsAtOnce) {
    const body = { ids: ids.slice(at, at + idsAtOnce), count: false };
    for (const { id, mark, elsewhere } of (await api.call(checkImported, { body })).items) {
      if (elsewhere === true)
        throw new TransferError(
          'IMPORT_ELSEWHERE',
          'conflict',
          `"${id}" is in another project of this server already, and an id names one thing: import into that project, or take it away there first`,
        );
      if (mark !== undefined) marks.set(id, mark);
    }
  }
  return marks;
}

/** Those that are not wholly here yet; of the others is noted what they have. */
function notYet<One extends Thing<RunRecord | LoggedModelRecord>>(
  { options, progress, expect }: ImportState,
  things: readonly One[],
  marks: ReadonlyMap<string, ImportMark>,
  experiment: SourceExperiment,
  print: (thing: One) => string,
): One[] {
  return things.filter((thing) => {
    const mark = marks.get(thing.record.id);
    if (options.again || mark === undefined || mark.print !== print(thing)) return true;
    const { points, files, fileBytes: bytes, filesDigest: digest } = mark;
    expect(thing.record, experiment, points, { files, bytes, digest });
    progress.points += points;
    progress.files += files;
    progress.fileBytes += bytes;
    progress.passedBy += 1;
    return false;
  });
}

/** Sends bytes, and last the marks: from then on the next import passes these by. */
export async function arrive(
  { api, options, progress, expect, leave, step }: ImportState,
  things: readonly Travelling<RunRecord | LoggedModelRecord>[],
  experiment: SourceExperiment,
  points: ReadonlyMap<string, number>,
): Promise<void> {
  const sent = await sendFiles(api, filesOf(things, leave), { progress, signal: options.signal });
  const marks = things.map(({ record, print }): ImportMark => {
    const { id } = record;
    const { files = 0, bytes = 0, lines } = sent.get(id) ?? {};
    const digest = lines === undefined ? noFiles : digestOfLines(lines);
    const mark = { id, print, points: points.get(id) ?? 0, files, fileBytes: bytes, filesDigest: digest };
    expect(record, experiment, mark.points, { files, bytes, digest });
    return mark;
  });
  for (let at = 0; at < marks.length; at += idsAtOnce)
    await api.call(markImported, { body: { marks: marks.slice(at, at + idsAtOnce) } });
  step();
}

async function* filesOf(
  things: readonly Travelling<RunRecord | LoggedModelRecord>[],
  leave: ImportState['leave'],
): AsyncGenerator<FileToSend> {
  for (const { record, folder, path } of things)
    if ('files' in folder)
      for await (const file of folder.files)
        if (isOddPath(file.path))
          leave(`the file ${JSON.stringify(file.path)} of ${record.id}, a name that no store takes`);
        else yield { owner: record.id, folder: path, file };
}
