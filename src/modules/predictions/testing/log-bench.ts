import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, onTestFinished } from 'vitest';
import type { PredictionRecord } from '#contracts/prediction-record';
import type { ReplicaReport } from '#contracts/replica-report';
import { encodeFrames } from '#contracts/spool-frame';
import type { WorkerTaskInput, WorkerTaskName } from '#contracts/worker';
import type { DatasetPart, DatasetVersion } from '#modules/datasets';
import { createLocalBlobStore } from '#platform/blobs';
import { type Consumer, type Consumers, createConsumers, createEventLog } from '#platform/events';
import { createLogger } from '#platform/log';
import { builtModule } from '#platform/testing/built-program';
import type { TestDatabase } from '#platform/testing/database';
import { createIntake } from '../intake-service.ts';
import type { PredictionsDeps } from '../predictions-deps.ts';
import { createPredictionsModule, type PredictionsModule } from '../predictions-module.ts';

export const project = 'default';
export const endpoint = 'late-arrival';
export const day = 86_400_000;
export const start = Date.UTC(2013, 2, 1);
const actor = { actor: 'user:test' };

/** The training profile of the two models of these tests: one number, one category. */
export const signature = {
  inputs: [],
  outputs: [],
  score: 'probabilities[1]',
  train: {
    rows: 100,
    columns: [
      {
        name: 'distance',
        type: 'FLOAT',
        kind: 'numeric',
        count: 100,
        missing: 0,
        distinct: 50,
        cells: { edges: [100, 200, 300], counts: [25, 25, 25, 25], nulls: 0 },
      },
      {
        name: 'origin',
        type: 'VARCHAR',
        kind: 'categorical',
        count: 100,
        missing: 0,
        distinct: 2,
        categories: { categories: ['EWR', 'JFK'], counts: [60, 40], other: 0, nulls: 0 },
      },
    ],
    score: {
      name: 'score',
      type: 'DOUBLE',
      kind: 'numeric',
      count: 100,
      missing: 0,
      distinct: 90,
      cells: { edges: [0.25, 0.5, 0.75], counts: [40, 30, 20, 10], nulls: 0 },
    },
  },
};

export interface Given {
  readonly id: number;
  readonly atMs: number;
  readonly key?: string | null;
  readonly score?: number;
  readonly distance?: number;
  readonly origin?: string;
  readonly revision?: string;
  readonly model?: string;
  readonly shadowOf?: number;
  readonly receivedAtMs?: number;
}

/** Ids sort as they are numbered. */
export const idOf = (id: number): string => `0194${String(id).padStart(8, '0')}-0000-7000-8000-000000000000`;

export function aRecord(given: Given): PredictionRecord {
  const score = given.score ?? 0.3;
  return {
    version: 1,
    predictionId: idOf(given.id),
    requestId: idOf(given.shadowOf ?? given.id),
    keys: given.key === undefined ? [`k${given.id}`] : [given.key],
    rows: 1,
    eventTimesMs: [given.atMs],
    receivedAtMs: given.receivedAtMs ?? given.atMs,
    durationUs: 400,
    project,
    endpoint,
    revision: given.revision ?? 'r1',
    modelRef: given.model ?? 'model:late-arrival@1',
    role: given.shadowOf === undefined ? 'primary' : 'shadow',
    ...(given.shadowOf !== undefined && { shadowOf: idOf(given.shadowOf) }),
    reason: given.shadowOf === undefined ? 'only' : 'shadow',
    propensity: 1,
    status: 'ok',
    principal: 'user:local',
    inputs: [
      { name: 'distance', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(given.distance ?? 150) },
      { name: 'origin', datatype: 'BYTES', shape: [1, 1], data: [given.origin ?? 'EWR'] },
    ],
    outputs: [
      { name: 'label', datatype: 'INT64', shape: [1], data: BigInt64Array.of(score >= 0.5 ? 1n : 0n) },
      { name: 'probabilities', datatype: 'FP32', shape: [1, 2], data: Float32Array.of(1 - score, score) },
    ],
  };
}

interface Reporting {
  readonly replica: string;
  readonly project: string;
  readonly endpoint: string;
  /** Which epochs its spool has. */
  readonly epochs?: readonly string[];
}

export interface LogBench {
  readonly database: TestDatabase;
  readonly module: PredictionsModule;
  readonly consumers: Consumers;
  readonly deps: PredictionsDeps;
  readonly held: Map<string, string>;
  /** Sightings and ends of incidents, as `<project> <fingerprint>`, `<project> <fingerprint> resolved`. */
  readonly alerts: string[];
  /** `live`: on the wall clock; else a replay. */
  register(revision: string, version: number, live?: 'live'): Promise<void>;
  send(from: number, bytes: Uint8Array, lost?: boolean): Promise<{ outcome: string; next: number }>;
  /** Sends records as the next offsets of the spool. */
  deliver(records: readonly Given[]): Promise<void>;
  /** What a replica would report now, with everything written so far. */
  report(greatestMs: number, next?: number, by?: Partial<Reporting>): Promise<void>;
  /** A new part of the dataset `flights` from SQL; the event that tells of it. */
  land(select: string): Promise<void>;
  bind(): Promise<void>;
  /** Cut the next call of a task off, as if the process had died then. */
  failNext(task: WorkerTaskName | 'write'): void;
}

/** `more` makes the consumers of modules above, which follow the same log. */
export async function openBench(
  database: TestDatabase,
  more: (made: {
    readonly module: PredictionsModule;
    readonly deps: PredictionsDeps;
  }) => readonly Consumer[] = () => [],
): Promise<LogBench> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-predictions-'));
  const blobs = createLocalBlobStore(join(folder, 'blobs'));
  const logger = createLogger({ level: 'silent' });
  const held = new Map<string, string>();
  const alerts: string[] = [];
  let version: DatasetVersion | undefined;
  let failing: WorkerTaskName | 'write' | undefined;

  const { createDatabases } = (await import(await builtModule('worker/databases.js'))) as {
    readonly createDatabases: (settings: { readonly threads: number }) => unknown;
  };
  const context = {
    signal: new AbortController().signal,
    logger,
    databases: createDatabases({ threads: 1 }),
    memoryMb: () => 256,
    spillFolder: folder,
  };
  // The worker's own tasks, in this process: the same code, without the pipes.
  const { createTaskRunner } = (await import(await builtModule('worker/tasks.js'))) as {
    readonly createTaskRunner: () => (name: string, input: unknown, context: unknown) => Promise<unknown>;
  };
  const runTask = createTaskRunner();
  const resolvePaths = async (value: unknown): Promise<unknown> => {
    if (typeof value === 'string') return value.startsWith('blob:') ? blobs.localPath(value.slice(5)) : value;
    if (Array.isArray(value)) return Promise.all(value.map(resolvePaths));
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(async ([key, item]) => [key, await resolvePaths(item)] as const);
    return Object.fromEntries(await Promise.all(entries));
  };

  const deps: PredictionsDeps = {
    database: {
      ...database,
      write: (write, work) => {
        if (failing === 'write') {
          failing = undefined;
          return Promise.reject(new Error('the process died'));
        }
        return database.write(write, work);
      },
    },
    blobs,
    clock: database.clock,
    logger,
    folder: join(folder, 'work'),
    jobs: {
      async runTask<T extends WorkerTaskName>(task: T, input: WorkerTaskInput<T>) {
        if (failing === task) {
          failing = undefined;
          throw new Error('the process died');
        }
        return (await runTask(task, await resolvePaths(input), context)) as never;
      },
    },
    datasets: { version: async () => version, currentVersion: async () => version?.version },
    artifacts: {
      retain: async (_unit, { sha256, owner }) => void held.set(sha256, owner),
      release: async (_unit, { sha256 }) => void held.delete(sha256 ?? ''),
    },
    lineage: { record: async () => undefined, registerResolver: () => undefined },
    alerts: {
      open: async (_unit, { project: where, fingerprint }) => void alerts.push(`${where} ${fingerprint}`),
      resolve: async (_unit, { project: where, fingerprint }) => void alerts.push(`${where} ${fingerprint} resolved`),
      findOpen: async (_reader, where, fingerprint) =>
        alerts.findLast((line) => line.startsWith(`${where} ${fingerprint}`))?.endsWith(' resolved') === false
          ? {}
          : undefined,
    },
  };
  const module = createPredictionsModule(deps);
  await module.start();
  const log = createEventLog(database);
  const consumers = createConsumers({ database, log, clock: database.clock, logger });
  for (const consumer of [...module.consumers, ...more({ module, deps })]) consumers.add(consumer);
  await consumers.start();
  onTestFinished(async () => {
    await consumers.stop();
    await module.stop();
  });

  const intake = createIntake(deps);
  let next = 0;
  let sequence = 0;
  const bench: LogBench = {
    database,
    module,
    consumers,
    deps,
    held,
    alerts,
    register: (revision, number, live) =>
      database.write(actor, (unit) =>
        module.api.registerRevision(unit, {
          project,
          endpoint,
          revision,
          model: 'late-arrival',
          version: number,
          score: 'probabilities[1]',
          signature,
          replay: live === undefined,
        }),
      ),
    send: (from, bytes, lost = false) =>
      intake.take(actor, {
        replica: 'one',
        epoch: 'e1',
        from,
        lost,
        body: Readable.from([Buffer.from(bytes)]),
        mayWrite: () => true,
      }),
    async deliver(records) {
      const answer = await bench.send(next, encodeFrames(records.map(aRecord), next));
      expect(answer).toEqual({ outcome: 'taken', next: next + records.length });
      next = answer.next;
    },
    async report(greatestMs, written = next, by = {}) {
      sequence += 1;
      const reporting = { replica: 'one', project, endpoint, ...by };
      await database.write(actor, (unit) =>
        module.api.reportProgress(unit, aReport(sequence, greatestMs, written, reporting)),
      );
      await consumers.idle();
    },
    async land(select) {
      const path = join(folder, `land-${version?.version ?? 0}.parquet`);
      const instance = await DuckDBInstance.create(':memory:');
      const connection = await instance.connect();
      await connection.run(`set TimeZone = 'UTC'`);
      await connection.run(`copy (${select}) to '${path}' (format parquet)`);
      const [range] = (
        await connection.runAndReadAll(
          `select epoch_ms(min(time_hour))::double, epoch_ms(max(time_hour))::double, count(*)::integer from '${path}'`,
        )
      ).getRows();
      connection.closeSync();
      instance.closeSync();
      const blob = await blobs.putFile(path);
      const part: DatasetPart = {
        ...blob,
        rows: Number(range?.[2]),
        timeMinMs: Number(range?.[0]),
        timeMaxMs: Number(range?.[1]),
        source: path,
        sourceSha256: blob.sha256,
        createdMs: database.clock.nowMs(),
      };
      version = {
        project,
        dataset: 'flights',
        version: (version?.version ?? 0) + 1,
        rows: undefined,
        sizeBytes: 0,
        parts: [...(version?.parts ?? []), part],
        files: [],
        columns: [],
        time: 'time_hour',
        timeMinMs: undefined,
        timeMaxMs: undefined,
        producer: undefined,
        profileSha256: undefined,
        createdMs: database.clock.nowMs(),
      };
      const { version: number } = version;
      await database.write(actor, (unit) =>
        unit.emit({
          type: 'dataset.version.created',
          project,
          subject: `dataset:flights@${number}`,
          data: { dataset: 'flights', version: number, rows: part.rows, parts: 1 },
        }),
      );
      await consumers.idle();
    },
    async bind() {
      await database.write(actor, (unit) =>
        module.api.bindTruth(unit, {
          project,
          name: endpoint,
          endpoint,
          dataset: 'flights',
          key: ['flight', 'time_hour'],
          time: 'time_hour',
          value: 'arr_delay > 15',
        }),
      );
      await consumers.idle();
    },
    failNext: (what) => void (failing = what),
  };
  return bench;
}

function aReport(sequence: number, greatestMs: number, next: number, by: Reporting): ReplicaReport {
  const counters = { requests: 0, rows: 0, errors: {}, latencyCounts: [], latencySumUs: 0 };
  return {
    version: 1,
    replica: by.replica,
    pool: 'default',
    boot: 'b1',
    sequence,
    reportedAtMs: 0,
    programVersion: '0',
    state: 'ready',
    flushed: 0,
    endpoints: [
      {
        project: by.project,
        name: by.endpoint,
        state: 'ready',
        serving: [],
        revisions: [
          {
            revision: 'r1',
            state: 'ready',
            primary: { ...counters, maxEventTimeMs: greatestMs },
            shadow: counters,
            shadowsDropped: 0,
          },
        ],
      },
    ],
    spool: {
      bytes: 0,
      epochs: (by.epochs ?? ['e1']).map((epoch) => ({ epoch, next, delivered: next })),
      dropped: 0,
    },
  };
}
