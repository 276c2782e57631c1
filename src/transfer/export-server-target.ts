import type { RunRecord } from '#contracts/transfer';
import { proxiedPathOf } from './artifact-path.ts';
import type { ExportOptions } from './export-report.ts';
import { type Credentials, createMlflowRest, isMlflowError, type MlflowRest } from './mlflow-rest.ts';
import { noProgress, type Progress } from './progress.ts';
import { inParallel } from './send-files.ts';
import type { Source } from './source.ts';

/** The id that a run or logged model had; servers of MLflow give ids of their own. */
export const sourceTag = 'tidemill.sourceId';
/** Set last: a trace that has it is wholly there, and so is a run in which it is the print of the run as it is here. */
export const doneTag = 'tidemill.exported';

/** Those that something has from an export that brought it here are none of its own. */
export const withoutOwnTags = (tags: RunRecord['tags']): RunRecord['tags'] =>
  tags.filter(({ key }) => key !== sourceTag && key !== doneTag);

const uploadsAtOnce = 4;

/** What a server has of a run or logged model. */
interface Place {
  readonly id: string;
  /** Where its files go. */
  readonly uri: string;
}

/** A server on the way to have everything of a source. */
export interface ServerTarget {
  readonly source: Source;
  readonly rest: MlflowRest;
  readonly progress: Progress;
  /** What does not go there, in words. */
  readonly left: string[];
  /** By former id of run or logged model. */
  readonly places: Map<string, Place>;
  readonly step: () => void;
  /** Sends what lies at an address of the source to one of the server. */
  readonly sendFiles: (
    from: string,
    to: string,
    owner: { readonly noun: string; readonly id: string },
  ) => Promise<void>;
}

export function createServerTarget(
  source: Source,
  address: string,
  options: ExportOptions & { readonly environment: Credentials },
): ServerTarget {
  const { environment, signal } = options;
  const rest = createMlflowRest(address, { environment, signal });
  const progress = noProgress();
  const left: string[] = [];
  const step = (): void => {
    signal.throwIfAborted();
    options.onProgress(progress);
  };

  const sendFiles: ServerTarget['sendFiles'] = async (from, to, { noun, id }) => {
    const found = await source.artifacts(from, id);
    if (!('files' in found)) {
      left.push(`files of ${noun} ${id}, which stay at ${found.keptAt}`);
      return;
    }
    const files = [];
    for await (const file of found.files) files.push(file);
    const [first] = files;
    if (first === undefined) return;
    const root = proxiedPathOf(to);
    if (root === undefined) {
      left.push(
        `${files.length} files of ${noun} ${id} (such as ${first.path}): the server keeps files at ${to}, not behind itself; start it with --serve-artifacts`,
      );
      return;
    }
    await inParallel(files, uploadsAtOnce, async (file) => {
      try {
        await rest.upload(`${root}/${file.path}`, await file.open(), file.sizeBytes);
      } catch (error) {
        // it decodes names, and refuses some then
        if (!isMlflowError(error, 'INVALID_PARAMETER_VALUE')) throw error;
        left.push(`the file ${file.path} of ${noun} ${id}: ${(error as Error).message}`);
        return;
      }
      progress.files += 1;
      progress.fileBytes += file.sizeBytes;
      progress.sentBytes += file.sizeBytes;
      step();
    });
  };

  return { source, rest, progress, left, places: new Map(), step, sendFiles };
}
