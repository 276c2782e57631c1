import type { PredictionEnvelope } from '#contracts/prediction-record';
import { formatTraceparent, type TraceContext } from '#contracts/trace-context';
import type { BatchRun } from '#runtimes/batcher';
import type { SpanAttribute, TracedCall } from './tracing.ts';

/** A span as it is sent; times on the scale of performance.now(). */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly traceState: string | undefined;
  readonly name: string;
  readonly kind: 'internal' | 'server';
  readonly fromMs: number;
  readonly toMs: number;
  readonly attributes: readonly SpanAttribute[];
  readonly links: readonly SpanLink[];
  readonly droppedLinks: number;
  /** Why it failed; empty: no words for it. */
  readonly failure: string | undefined;
}

type SpanLink = Pick<TraceContext, 'traceId' | 'spanId'>;

/** What OpenTelemetry lets a span have; of a greater batch the number is told. */
const maxLinks = 128;

/** Of a run of the model that several traced requests share: the first of them, which links to the others. */
class SharedRun {
  readonly first: SpanLink;
  readonly others: SpanLink[] = [];
  droppedLinks = 0;

  constructor(first: SpanLink) {
    this.first = first;
  }

  join(other: SpanLink): void {
    if (this.others.length < maxLinks) this.others.push(other);
    else this.droppedLinks += 1;
  }
}

const sharedRuns = new WeakMap<object, SharedRun>();

interface TraceIds {
  readonly traceId: string;
  readonly parentId: string | undefined;
  readonly traceState: string | undefined;
  /** A new span's. */
  readonly spanId: () => string;
}

/**
 * The trace of one request while it is answered: who carries it further marks when each stage was over, and its spans are
 * made of that when they are sent. A mark that is missing is a stage that it did not come to.
 */
export class RequestTrace {
  readonly spanId: string;
  receivedMs: number | undefined;
  private askedMs: number | undefined;
  private run: BatchRun | undefined;
  private readonly computeId: string;
  private shared: SharedRun | undefined;
  private outputsMs: number | undefined;
  private recordedMs: number | undefined;
  private encodedMs = 0;
  private endMs = 0;
  private failure: string | undefined;
  private readonly attributes: SpanAttribute[];
  private readonly ids: TraceIds;
  private readonly call: TracedCall;
  private readonly hand: (trace: RequestTrace) => void;

  private readonly of: 'request' | 'shadow';

  constructor(
    call: TracedCall,
    ids: TraceIds,
    hand: (trace: RequestTrace) => void,
    of: 'request' | 'shadow' = 'request',
  ) {
    this.of = of;
    this.call = call;
    this.ids = ids;
    this.hand = hand;
    this.attributes = [...call.attributes];
    this.spanId = ids.spanId();
    this.computeId = ids.spanId();
  }

  get traceId(): string {
    return this.ids.traceId;
  }

  /**
   * The trace of a shadow of this request, below its span: it has one cause, so it is a child and no link, though it goes on
   * when the request is over.
   */
  shadow(startMs: number): RequestTrace {
    const call = { name: 'shadow', startMs, attributes: nothing, traceparent: undefined, tracestate: undefined };
    return new RequestTrace(call, { ...this.ids, parentId: this.spanId }, this.hand, 'shadow');
  }

  /** By which others continue it. */
  get traceparent(): string {
    return formatTraceparent({ traceId: this.traceId, spanId: this.spanId, sampled: true });
  }

  tell(name: string, value: SpanAttribute[1]): void {
    this.attributes.push([name, value]);
  }

  /** The model was asked, and ran unless the answer was known or it failed. */
  ran(askedMs: number, run: BatchRun | undefined): void {
    this.askedMs = askedMs;
    this.outputsMs = performance.now();
    this.run = run;
    if (run?.shared === undefined) return;
    const own = { traceId: this.traceId, spanId: this.computeId };
    const known = sharedRuns.get(run.shared);
    this.shared = known ?? new SharedRun(own);
    if (known === undefined) sharedRuns.set(run.shared, this.shared);
    else known.join(own);
  }

  /** Its record is kept, where there is to be one. */
  tellPrediction(envelope: PredictionEnvelope): void {
    this.recordedMs = performance.now();
    const { predictionId, project, endpoint, revision, modelRef, rows, cached, reason, shadowOf } = envelope;
    this.attributes.push(
      ['tidemill.prediction_id', predictionId],
      ['tidemill.project', project],
      ['tidemill.endpoint', endpoint],
      ['tidemill.revision', revision],
      ['tidemill.model', modelRef],
      ['tidemill.rows', rows],
      ['tidemill.reason', reason],
    );
    if (cached === true) this.attributes.push(['tidemill.cached', true]);
    if (shadowOf !== undefined) this.attributes.push(['tidemill.shadow_of', shadowOf]);
  }

  /** The answer is formatted. Default: when it has left. */
  encoded(): void {
    this.encodedMs = performance.now();
  }

  /** Said first, it stands. */
  fail(words: string): void {
    if (this.endMs === 0) this.failure ??= words;
  }

  /** The answer has left, or nobody waits for it any more. `failed`: it was a failure of ours. */
  end(failed: boolean): void {
    if (this.endMs > 0) return;
    this.endMs = performance.now();
    if (failed) this.failure ??= '';
    else this.failure = undefined;
    this.hand(this);
  }

  /** How many spans `spans` makes. */
  get size(): number {
    const stages = [this.receivedMs, this.askedMs, this.run, this.run, this.recordedMs];
    return 1 + (this.isEncoded ? 1 : 0) + stages.filter((stage) => stage !== undefined).length;
  }

  /** Whether an answer was formatted, which a shadow has nobody for. */
  private get isEncoded(): boolean {
    return this.of === 'request' && this.askedMs !== undefined && this.failure === undefined;
  }

  spans(): readonly Span[] {
    const { call, ids, run, askedMs, outputsMs, recordedMs, shared, failure } = this;
    const made: Span[] = [
      this.make(call.name, this.spanId, call.startMs, this.endMs, {
        parentId: ids.parentId,
        kind: this.of === 'request' ? 'server' : 'internal',
        attributes: this.attributes,
        failure,
      }),
    ];
    const stage = (name: string, fromMs: number | undefined, toMs: number | undefined, more = noMore) => {
      if (fromMs === undefined || toMs === undefined) return;
      made.push(this.make(name, more.spanId ?? ids.spanId(), fromMs, Math.max(fromMs, toMs), more));
    };
    stage('receive', call.startMs, this.receivedMs);
    stage(this.of === 'request' ? 'decode' : 'wait', this.receivedMs ?? call.startMs, askedMs);
    stage('queue', askedMs, run?.takenMs);
    stage('compute', run?.inferFromMs, run?.inferToMs, {
      spanId: this.computeId,
      attributes: [
        ['tidemill.batch.rows', run?.rows ?? 0],
        ['tidemill.batch.shared', shared !== undefined],
      ],
      ...(shared !== undefined && linksOf(shared, this.computeId)),
    });
    stage('record', outputsMs, recordedMs);
    if (this.isEncoded) stage('encode', recordedMs ?? outputsMs, this.encodedMs > 0 ? this.encodedMs : this.endMs);
    return made;
  }

  /** Field by field: this is made for each span, and a spread costs several times as much. */
  private make(name: string, spanId: string, fromMs: number, toMs: number, more: Partial<Span>): Span {
    return {
      traceId: this.ids.traceId,
      spanId,
      parentId: 'parentId' in more ? more.parentId : this.spanId,
      traceState: this.ids.traceState,
      name,
      kind: more.kind ?? 'internal',
      fromMs,
      toMs,
      attributes: more.attributes ?? nothing,
      links: more.links ?? nothing,
      droppedLinks: more.droppedLinks ?? 0,
      failure: more.failure,
    };
  }
}

const nothing: readonly never[] = [];
const noMore: Partial<Span> = {};

/** The first of a batch links to the others, each of them to the first. */
function linksOf({ first, others, droppedLinks }: SharedRun, own: string): Pick<Span, 'links' | 'droppedLinks'> {
  return first.spanId === own ? { links: others, droppedLinks } : { links: [first], droppedLinks: 0 };
}
