import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { SpanRecord, TraceRecord } from '#contracts/trace-transfer';
import type { ExperimentRecord, HistoryRecord, LoggedModelRecord, ModelRecord, RunRecord } from '#contracts/transfer';
import { TransferError } from './transfer-error.ts';

/*
 * What a store holds, in the records of the bulk API. Ids of experiments are the store's own; where bytes lie is told
 * beside a record by its address in the store.
 */

export interface SourceExperiment {
  readonly record: ExperimentRecord;
  readonly artifactUri: string;
}

export interface SourceRun {
  readonly record: RunRecord;
  readonly artifactUri: string;
  /** How many points it has; undefined where that is known after they are read only. */
  readonly points: number | undefined;
  /** Whatever changes when points are added, cheap to know: part of the run's print. */
  readonly hint: unknown;
}

export interface SourceModel {
  readonly record: LoggedModelRecord;
  readonly artifactUri: string;
}

export interface SourceTrace {
  readonly record: Omit<TraceRecord, 'spans'>;
  readonly artifactUri: string;
  /** How many it has beside those in its file; undefined where that is known after they are read only. */
  readonly spans: number | undefined;
}

export interface SourceFile {
  /** Relative to the folder that was asked for. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Known without reading where the source keeps bytes by digest. */
  readonly sha256?: string;
  /** When it lies on this machine. */
  readonly local?: string;
  open(): Promise<Readable>;
}

/** What lies under an address: files, or why they cannot be read from here. */
export type ArtifactFolder =
  | { readonly files: AsyncIterable<SourceFile> }
  | { readonly keptAt: string; readonly why: string };

/** Things that a store has and that are not brought over. */
export interface LeftBehind {
  readonly what: string;
  readonly count: number;
}

export interface Source {
  /** For people: where it is, without a password. */
  readonly label: string;
  /** Deleted ones too, where the store shows them. */
  experiments(): Promise<readonly SourceExperiment[]>;
  runs(experimentId: string): AsyncIterable<readonly SourceRun[]>;
  /** Points of runs of one page, exact duplicates once; a metric may come in several parts. */
  histories(runs: readonly SourceRun[]): AsyncIterable<HistoryRecord>;
  loggedModels(experimentId: string): AsyncIterable<readonly SourceModel[]>;
  /** Without spans; one of the same id may come once only. */
  traces(experimentId: string): AsyncIterable<readonly SourceTrace[]>;
  /** Spans of traces of one page, by trace; those in a file of a trace are not among them. */
  spans(traces: readonly SourceTrace[]): Promise<ReadonlyMap<string, readonly SpanRecord[]>>;
  /** Sources and locations as the store has them; with files where they have no folder of a run or logged model. */
  models(): AsyncIterable<ModelRecord>;
  /** What lies under an address of a run, logged model or trace, by its id. */
  artifacts(uri: string, owner: string): Promise<ArtifactFolder>;
  /** Bytes by digest, where the source keeps them so: those of versions that say which files they have. */
  bytes?(sha256: string): Promise<Readable>;
  leftBehind(): Promise<readonly LeftBehind[]>;
  close(): Promise<void>;
}

/** An id is part of paths, here and there: one that is none of MLflow's forms ends the transfer. */
export function requireId(noun: 'run' | 'logged model' | 'trace' | 'assessment' | 'experiment', id: string): string {
  if (/^[\w-]{1,256}$/.test(id)) return id;
  throw new TransferError(
    'SOURCE_UNREADABLE',
    'invalid',
    `${JSON.stringify(id)} is no id (${noun}): the store was not written by MLflow, or is damaged`,
  );
}

/** Points of one metric that travel together. */
export const pointsOfHistory = 5000;

export const runNameTag = 'mlflow.runName';

/** A run's name is a tag too, in every store: what is counted is alike everywhere. */
export function withNameTag(name: string, tags: RunRecord['tags']): RunRecord['tags'] {
  return tags.some(({ key }) => key === runNameTag) || name === '' ? tags : [...tags, { key: runNameTag, value: name }];
}

/** A digest of everything that a source says of a thing before its points and bytes are read. */
export function printOf(record: RunRecord | LoggedModelRecord, hint: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify([record, hint]))
    .digest('base64url');
}

/** The id of the run or logged model in whose folder an address lies, and the path below it. */
export function ownerOfUri(uri: string): { readonly id: string; readonly path: string } | undefined {
  const [, id, path = ''] = /(?:^|\/)((?:m-)?[0-9a-f]{32})\/artifacts(?:\/(.*))?$/s.exec(uri) ?? [];
  return id === undefined ? undefined : { id, path };
}
