import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import type { DeploymentSpec, SpecEndpoint, SpecRevision } from '#contracts/deployment-spec';
import type { PredictionRecord } from '#contracts/prediction-record';
import type { ReplicaReport } from '#contracts/replica-report';
import { decodeFrames } from '#contracts/spool-frame-reader';

/**
 * Stands in for the control plane, which is another process: the four routes of `contracts/serving.ts` over real HTTP,
 * kept in memory. It takes records exactly as the contract says, so what it holds is what an intake would hold.
 */
export interface FakeControlPlane {
  readonly url: string;
  readonly token: string;
  readonly records: PredictionRecord[];
  readonly reports: ReplicaReport[];
  readonly lostOffsets: { readonly epoch: string; readonly from: number; readonly to: number }[];
  /** Publishes a generation; endpoints default to those before. */
  publish(change: { readonly endpoints?: readonly SpecEndpoint[]; readonly flush?: number }): DeploymentSpec;
  /** Holds the file and describes it as a revision. */
  revision(id: string, path: string, more?: Partial<SpecRevision>): SpecRevision;
  /** Keeps whoever asks for the bytes of a revision waiting, until the answer is called. */
  holdFiles(revision: SpecRevision): () => void;
  /** Waits for a report (that may have come already) of which this is true. */
  reported(isIt: (report: ReplicaReport) => boolean): Promise<ReplicaReport>;
  /** Answers deliveries with this status instead of taking them; undefined takes them again. */
  refuseDeliveries(status: number | undefined): void;
  /** Cannot read the frames of these records, as a real intake whose worker finds no record in them. */
  refuseRecords(isUnreadable: (record: PredictionRecord) => boolean): void;
  /** Forgets how far a replica had come, as a restored database would. */
  forgetCursors(): void;
  /** Stops listening; connections are cut. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
}

const token = 'pool-token';
const nothing = (_record: PredictionRecord): boolean => false;

export async function startFakeControlPlane(options: { readonly pool?: string } = {}): Promise<FakeControlPlane> {
  const pool = options.pool ?? 'default';
  let spec: DeploymentSpec = { version: 1, pool, epoch: 'e1', generation: 0, endpoints: [] };
  const files = new Map<string, Buffer>();
  const records: PredictionRecord[] = [];
  const reports: ReplicaReport[] = [];
  const lostOffsets: { epoch: string; from: number; to: number }[] = [];
  const cursors = new Map<string, number>();
  const held = new Map<string, Promise<void>>();
  let refusal: number | undefined;
  let isUnreadable = nothing;
  let specWaiters: (() => void)[] = [];
  let reportWaiters: { isIt: (report: ReplicaReport) => boolean; resolve: (report: ReplicaReport) => void }[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://x');
    const body = await readAll(request);
    if (request.headers.authorization !== `Bearer ${token}`) return send(response, 401);
    const parts = url.pathname.split('/');
    if (url.pathname === `/data-plane/pools/${pool}/spec`)
      return answerSpec(request, response, Number(url.searchParams.get('wait')));
    if (parts[2] === 'files') {
      await held.get(parts[3] ?? '');
      const file = files.get(parts[3] ?? '');
      return file === undefined ? send(response, 404) : send(response, 200, file);
    }
    if (parts[4] === 'report') {
      const report = JSON.parse(body.toString()) as ReplicaReport;
      reports.push(report);
      for (const { isIt, resolve } of reportWaiters) if (isIt(report)) resolve(report);
      reportWaiters = reportWaiters.filter(({ isIt }) => !isIt(report));
      return send(response, 204);
    }
    if (parts[4] === 'spool') return takeFrames(`${parts[3]}/${parts[5]}`, url.searchParams, body, response);
    send(response, 404);
  }

  async function answerSpec(request: IncomingMessage, response: ServerResponse, waitSeconds: number): Promise<void> {
    const tag = () => `"${spec.epoch}.${spec.generation}"`;
    if (request.headers['if-none-match'] === tag())
      await new Promise<void>((resolve) => {
        setTimeout(resolve, waitSeconds * 1000).unref();
        specWaiters.push(resolve);
        response.on('close', resolve);
      });
    if (request.headers['if-none-match'] === tag()) return send(response, 304);
    response.setHeader('etag', tag());
    send(response, 200, JSON.stringify(spec));
  }

  function takeFrames(source: string, query: URLSearchParams, body: Buffer, response: ServerResponse): void {
    if (refusal !== undefined) return send(response, refusal);
    const from = Number(query.get('from'));
    let next = cursors.get(source) ?? 0;
    if (from !== next) {
      if (query.get('lost') !== '1' || from < next) return send(response, 409, JSON.stringify({ next }));
      lostOffsets.push({ epoch: source, from: next, to: from });
      next = from;
    }
    const { frames, stopped } = decodeFrames(body);
    if (stopped !== 'end' || frames.some(({ offset }, index) => offset !== next + index)) return send(response, 400);
    const bad = frames.findIndex(({ record }) => isUnreadable(record));
    if (bad === 0) return send(response, 400, JSON.stringify({ error: { code: 'SPOOL_FRAME_BAD', message: 'no' } }));
    const taken = bad === -1 ? frames : frames.slice(0, bad);
    records.push(...taken.map(({ record }) => record));
    cursors.set(source, next + taken.length);
    send(response, 200, JSON.stringify({ next: next + taken.length }));
  }

  let server = listenWith(answer);
  const port = await listen(server, 0);

  return {
    url: `http://127.0.0.1:${port}`,
    token,
    records,
    reports,
    lostOffsets,
    publish(change) {
      spec = {
        ...spec,
        generation: spec.generation + 1,
        ...(change.endpoints && { endpoints: [...change.endpoints] }),
        ...(change.flush !== undefined && { flush: change.flush }),
      };
      for (const wake of specWaiters) wake();
      specWaiters = [];
      return spec;
    },
    revision(id, path, more = {}) {
      const bytes = readFileSync(path);
      const digest = createHash('sha256').update(bytes).digest('hex');
      files.set(digest, bytes);
      return {
        id,
        modelRef: `model:test@${id.replace(/\D/g, '') || id}`,
        runtime: 'onnx',
        files: [{ path: basename(path), digest, sizeBytes: bytes.length }],
        ...more,
      };
    },
    holdFiles(revision) {
      const gate = new EventEmitter();
      const opened = once(gate, 'open').then(() => undefined);
      for (const { digest } of revision.files) held.set(digest, opened);
      return () => void gate.emit('open');
    },
    reported(isIt) {
      const last = reports.at(-1);
      if (last !== undefined && isIt(last)) return Promise.resolve(last);
      return new Promise((resolve) => reportWaiters.push({ isIt, resolve }));
    },
    refuseDeliveries(status) {
      refusal = status;
    },
    refuseRecords(isIt) {
      isUnreadable = isIt;
    },
    forgetCursors: () => cursors.clear(),
    async goAway() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
    async comeBack() {
      server = listenWith(answer);
      await listen(server, port);
    },
  };
}

function listenWith(answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Server {
  return createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, status: number, body?: string | Buffer): void {
  response.writeHead(status);
  response.end(body);
}
