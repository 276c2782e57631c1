import type { TruthAnswer } from '#contracts/predictions';
import type { ReplicaReport } from '#contracts/replica-report';
import type { PredictionRole } from '#contracts/worker-predictions';
import type { Reader, Unit, WriteContext } from '#platform/database';
import type { CellCounts, RevisionCounts } from './count-rules.ts';

/** A revision that answers at an endpoint; its rows are counted over the cells of its model's training profile. */
export interface NewRevision {
  readonly project: string;
  readonly endpoint: string;
  readonly revision: string;
  readonly model: string;
  readonly version: number;
  /** What the registry keeps of the version: the answer of the worker's `describe-model`, with the training profile. */
  readonly signature?: unknown;
  /** Where the score is among the outputs: `probabilities[1]`. */
  readonly score?: string | undefined;
  /** Event times may lie ahead of receipt (`clock: event`). */
  readonly replay?: boolean;
}

/** Distribution over the training rows, in the same cells as the counts of its revision. */
export type TrainingColumn =
  | { readonly name: string; readonly kind: 'numeric'; readonly edges: readonly number[]; readonly cells: CellCounts }
  | {
      readonly name: string;
      readonly kind: 'categorical';
      readonly categories: readonly string[];
      readonly cells: { readonly counts: readonly number[]; readonly other: number; readonly nulls: number };
    };

export interface TrainingProfile {
  readonly columns: readonly TrainingColumn[];
  readonly score: { readonly edges: readonly number[]; readonly cells: CellCounts } | undefined;
}

export interface LoggedRevision {
  readonly project: string;
  readonly endpoint: string;
  readonly revision: string;
  readonly model: string;
  readonly version: number;
  readonly score: string | undefined;
  readonly training: TrainingProfile | undefined;
  readonly registeredMs: number;
}

/** Files of the log, as they were when asked: they stay readable for an hour at least, compaction or not. */
export interface LogSnapshot {
  readonly rows: readonly LogFile[];
  readonly truths: readonly LogFile[];
}
export interface LogFile {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly minId: string;
  readonly maxId: string;
}

export interface EventRange {
  readonly project: string;
  readonly endpoint: string;
  /** Half open, event time. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** How far the log of an endpoint has come. */
export interface LogProgress {
  readonly rows: number;
  readonly files: number;
  readonly firstEventMs: number | undefined;
  /** All that was answered up to this event time is in the log. */
  readonly settledMs: number | undefined;
  readonly caughtUp: boolean;
  readonly truthWaiting: number;
  readonly truthUnmatched: number;
  /** Truth that is here (dataset versions, late records) is still to be matched. */
  readonly truthPending: boolean;
}

/** Truth that is read from a dataset, for as long as it is bound. */
export interface TruthBinding {
  readonly project: string;
  /** The monitor's name. */
  readonly name: string;
  readonly endpoint: string;
  readonly dataset: string;
  readonly key: readonly string[];
  readonly time: string;
  /** SQL expression over the dataset's columns. */
  readonly value: string;
}

export interface PushedValue {
  readonly lookup:
    | { readonly predictionId: string; readonly row: number | undefined }
    | { readonly key: string; readonly eventMs: number };
  readonly value: number | null;
  readonly observedMs: number;
}

export interface DroppedRecords {
  readonly project: string;
  readonly endpoint: string;
  readonly replica: string;
  readonly records: number;
}

/** The door of `predictions`. */
export interface PredictionsApi {
  /** In the unit that makes the revision. The same one again changes nothing but `replay`. */
  registerRevision(unit: Unit, revision: NewRevision): Promise<void>;
  revisions(reader: Reader, project: string, endpoint: string): Promise<readonly LoggedRevision[]>;
  /** Event time and written offsets of a replica; moves the watermarks. Older reports than the last one change nothing. */
  reportProgress(unit: Unit, report: ReplicaReport): Promise<void>;
  /** Records that a replica could not keep, while it answered all the same. */
  reportLoss(unit: Unit, loss: DroppedRecords): Promise<void>;
  /** Undefined for an endpoint without revisions. */
  progress(reader: Reader, project: string, endpoint: string): Promise<LogProgress | undefined>;
  /** Greatest event time up to which everything answered is in the log. */
  watermark(reader: Reader, project: string, endpoint: string): Promise<number | undefined>;
  rows(reader: Reader, range: EventRange): Promise<LogSnapshot>;
  /** Event time of the first row on the days that the range touches; undefined when there is none. */
  firstEvent(reader: Reader, range: EventRange): Promise<number | undefined>;
  /** Counts by (revision, role); both bounds are whole hours. */
  counts(reader: Reader, range: EventRange & { readonly role?: PredictionRole }): Promise<readonly RevisionCounts[]>;
  /** Binds, or changes what is bound: then all parts are matched again. */
  bindTruth(unit: Unit, binding: TruthBinding): Promise<void>;
  unbindTruth(unit: Unit, project: string, name: string): Promise<void>;
  /** Outside a unit: reads the log in a worker. @throws ENDPOINT_UNKNOWN */
  pushTruth(
    context: WriteContext,
    push: { readonly project: string; readonly endpoint: string; readonly truths: readonly PushedValue[] },
  ): Promise<TruthAnswer>;
}
