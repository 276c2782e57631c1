import { logLevels } from '../log.ts';
import {
  type MachineFacts,
  parseBlobsPlace,
  parseDatabaseUrl,
  parseHttpUrl,
  parseInteger,
  parseList,
  parseNumber,
  parseOneOf,
  parseText,
  parseTime,
  type Setting,
} from './setting.ts';

const port = parseInteger(0, 65_535);
const none: readonly string[] = [];

function parsePortOrOff(text: string): number {
  try {
    return port(text);
  } catch {
    throw new Error('a whole number from 0 to 65535 or off is expected');
  }
}

function setting<T>(definition: Setting<T>): Setting<T> {
  return definition;
}

/** Every key of the configuration. */
export const settings = {
  home: setting<string>({
    environment: 'TIDEMILL_HOME',
    flag: 'home',
    default: '.tidemill',
    reason: 'Where the database, blobs, environments and logs lie; put it on a local disk with room for the data.',
    parse: parseText,
  }),
  host: setting<string>({
    environment: 'TIDEMILL_HOST',
    flag: 'host',
    default: '127.0.0.1',
    reason: 'The address to listen on; any but a loopback address needs `auth: on`.',
    parse: parseText,
  }),
  port: setting<number>({
    environment: 'TIDEMILL_PORT',
    flag: 'port',
    default: 7878,
    reason: 'Port of the API and the web page; 0 takes any free one.',
    parse: port,
  }),
  servingPort: setting<number>({
    environment: 'TIDEMILL_SERVING_PORT',
    flag: 'serving-port',
    default: 7879,
    reason: 'Port of predictions over HTTP; 0 takes any free one.',
    parse: port,
  }),
  grpcPort: setting<number | 'off' | undefined>({
    environment: 'TIDEMILL_GRPC_PORT',
    flag: 'grpc-port',
    default: undefined,
    defaultText: '7880, and any free one where the serving port is not its default',
    reason: 'Port of predictions over gRPC; 0 takes any free one, `off` none.',
    parse: (text) => (text === 'off' ? text : parsePortOrOff(text)),
  }),
  grpcMaxMessageBytes: setting<number>({
    environment: 'TIDEMILL_GRPC_MAX_MESSAGE_BYTES',
    flag: 'grpc-max-message-bytes',
    default: 64 * 1024 ** 2,
    unit: 'bytes',
    reason: 'Longest message that is taken over gRPC; an endpoint may have a lower limit of its own.',
    parse: parseInteger(1, 2 ** 31 - 1),
  }),
  maxBodyBytes: setting<number>({
    environment: 'TIDEMILL_MAX_BODY_BYTES',
    flag: 'max-body-bytes',
    default: 64 * 1024 * 1024,
    unit: 'bytes',
    reason:
      'The longest body of a request for predictions, unpacked; a deployment may take less by `limits.max_body_bytes`.',
    parse: parseInteger(1, 128 * 1024 * 1024),
  }),
  memoryBytes: setting<number | undefined>({
    environment: 'TIDEMILL_MEMORY_BYTES',
    flag: 'memory-bytes',
    default: undefined,
    defaultText: 'no limit',
    unit: 'bytes',
    reason:
      'What the models that answer predictions hold in memory together; those unused for longest leave it, and come back when they are asked.',
    parse: parseInteger(0, Number.MAX_SAFE_INTEGER),
  }),
  requestMemoryBytes: setting<number>({
    environment: 'TIDEMILL_REQUEST_MEMORY_BYTES',
    flag: 'request-memory-bytes',
    default: 256 * 1024 ** 2,
    unit: 'bytes',
    reason: 'What requests for predictions and their answers hold in memory together; what is beyond it is refused.',
    parse: parseInteger(1, Number.MAX_SAFE_INTEGER),
  }),
  maxConnections: setting<number>({
    environment: 'TIDEMILL_MAX_CONNECTIONS',
    flag: 'max-connections',
    default: 8_192,
    reason: 'Connections of clients that ask for predictions, of REST and of gRPC.',
    parse: parseInteger(1, 1_000_000),
  }),
  spoolMaxBytes: setting<number>({
    environment: 'TIDEMILL_SPOOL_MAX_BYTES',
    flag: 'spool-max-bytes',
    default: 4 * 1024 ** 3,
    unit: 'bytes',
    reason: 'What prediction records may take on disk until they are in the log.',
    parse: parseInteger(1, Number.MAX_SAFE_INTEGER),
  }),
  auth: setting<'on' | 'off'>({
    environment: 'TIDEMILL_AUTH',
    flag: 'auth',
    default: 'off',
    reason: 'Off, everybody who reaches the server is its admin: only for a loopback address on a machine of your own.',
    parse: parseOneOf('on', 'off'),
  }),
  allowedHosts: setting<readonly string[]>({
    environment: 'TIDEMILL_ALLOWED_HOSTS',
    flag: 'allowed-hosts',
    default: none,
    reason:
      'Names by which clients address the server, comma-separated, when it stands behind a proxy or another name.',
    parse: parseList,
  }),
  databaseUrl: setting<string | undefined>({
    environment: 'TIDEMILL_DATABASE_URL',
    flag: 'database-url',
    default: undefined,
    defaultText: 'SQLite, `tidemill.db` in the home folder',
    reason: 'A PostgreSQL address (`postgres://…`) when one machine is not enough, or another file.',
    parse: parseDatabaseUrl,
  }),
  blobs: setting<string | undefined>({
    environment: 'TIDEMILL_BLOBS',
    flag: 'blobs',
    default: undefined,
    defaultText: '`blobs` in the home folder',
    reason:
      'Where the bytes of artifacts lie: a folder, or `s3://<bucket>[/<prefix>]` of any S3 server. Credentials and region come from the usual AWS_* variables or profile.',
    parse: parseBlobsPlace,
  }),
  s3Endpoint: setting<string | undefined>({
    environment: 'TIDEMILL_S3_ENDPOINT',
    flag: 's3-endpoint',
    default: undefined,
    defaultText: 'AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, else Amazon',
    reason: 'The address of an S3 server other than that of Amazon, as `http://minio:9000`.',
    parse: parseHttpUrl,
  }),
  s3Presign: setting<'on' | 'off'>({
    environment: 'TIDEMILL_S3_PRESIGN',
    flag: 's3-presign',
    default: 'on',
    reason:
      'With blobs on S3, clients of MLflow fetch files from there by signed URLs; off where they cannot reach that server, and everything passes through this one.',
    parse: parseOneOf('on', 'off'),
  }),
  blobCacheBytes: setting<number>({
    environment: 'TIDEMILL_BLOB_CACHE_BYTES',
    flag: 'blob-cache-bytes',
    default: 10 * 1024 * 1024 * 1024,
    unit: 'bytes',
    reason: 'With blobs on S3: how much of them is kept in the home folder for jobs that need files.',
    parse: parseInteger(0, Number.MAX_SAFE_INTEGER),
  }),
  jobCpus: setting<number>({
    environment: 'TIDEMILL_JOB_CPUS',
    flag: 'job-cpus',
    default: (facts: MachineFacts) => facts.cpus,
    defaultText: 'all',
    unit: 'cores',
    reason: 'What running jobs may ask for together; lower it on a machine that is shared.',
    parse: parseNumber(0.1),
  }),
  jobMemoryMb: setting<number>({
    environment: 'TIDEMILL_JOB_MEMORY_MB',
    flag: 'job-memory-mb',
    default: (facts: MachineFacts) => Math.floor(facts.memoryMb * 0.75),
    defaultText: 'three quarters of the memory',
    unit: 'MB',
    reason: 'What running jobs may ask for together.',
    parse: parseInteger(64, 1e9),
  }),
  workerThreads: setting<number>({
    environment: 'TIDEMILL_WORKER_THREADS',
    flag: 'worker-threads',
    default: (facts: MachineFacts) => Math.min(4, facts.cpus),
    defaultText: 'all, 4 at most',
    unit: 'threads',
    reason: 'Threads of one worker process that reads tables.',
    parse: parseInteger(1, 1024),
  }),
  workerMemoryMb: setting<number>({
    environment: 'TIDEMILL_WORKER_MEMORY_MB',
    flag: 'worker-memory-mb',
    default: (facts: MachineFacts) => Math.min(4_096, Math.max(512, Math.floor(facts.memoryMb / 4))),
    defaultText: 'a quarter of the memory, 512 at least, 4096 at most',
    unit: 'MB',
    reason: 'Memory of one worker process; what needs more spills to disk.',
    parse: parseInteger(128, 1e9),
  }),
  jobLogDays: setting<number>({
    environment: 'TIDEMILL_JOB_LOG_DAYS',
    flag: 'job-log-days',
    default: 90,
    unit: 'days',
    reason:
      'How long the output of a job that has ended is kept; longer answers later questions, shorter frees disk. What it made is kept apart from it.',
    parse: parseInteger(1, 36_500),
  }),
  workerIdleMs: setting<number>({
    environment: 'TIDEMILL_WORKER_IDLE_MS',
    flag: 'worker-idle-ms',
    default: 60_000,
    unit: 'ms',
    reason: 'How long a worker stays warm without work; longer answers sooner, shorter frees memory.',
    parse: parseInteger(0, 86_400_000),
  }),
  bodyLimitBytes: setting<number>({
    environment: 'TIDEMILL_BODY_LIMIT_BYTES',
    flag: 'body-limit-bytes',
    default: 16 * 1024 * 1024,
    unit: 'bytes',
    reason: 'Largest JSON request; uploads of artifacts are not bound by it.',
    parse: parseInteger(1_024, 1024 * 1024 * 1024),
  }),
  uploadLimitBytes: setting<number>({
    environment: 'TIDEMILL_UPLOAD_LIMIT_BYTES',
    flag: 'upload-limit-bytes',
    default: 50 * 1024 * 1024 * 1024,
    unit: 'bytes',
    reason: 'Largest file that may be uploaded or made by a client of MLflow; a larger one is refused with 413.',
    parse: parseInteger(1_024, Number.MAX_SAFE_INTEGER),
  }),
  purgeAfterMs: setting<number | undefined>({
    environment: 'TIDEMILL_PURGE_AFTER',
    flag: 'purge-after',
    default: undefined,
    defaultText: 'never',
    reason:
      'How long experiments, runs and logged models that were deleted can be restored, as `30d`; after that they are purged: removed with what they own, for good.',
    parse: parseTime,
  }),
  uploadIdleMs: setting<number>({
    environment: 'TIDEMILL_UPLOAD_IDLE_MS',
    flag: 'upload-idle-ms',
    default: 60_000,
    unit: 'ms',
    reason:
      'An upload that brings less than 64 KiB in this time is ended with 408; longer for clients on very slow lines.',
    parse: parseInteger(100, 86_400_000),
  }),
  webhookHosts: setting<readonly string[]>({
    environment: 'TIDEMILL_WEBHOOK_HOSTS',
    flag: 'webhook-hosts',
    default: none,
    reason: 'Hosts in private networks, comma-separated, that webhooks may be sent to.',
    parse: parseList,
  }),
  python: setting<string | undefined>({
    environment: 'TIDEMILL_PYTHON',
    flag: 'python',
    default: undefined,
    defaultText: 'the first Python 3.11 or newer on the PATH',
    reason: 'The interpreter that environments are made from.',
    parse: parseText,
  }),
  sklearnChecks: setting<'quick' | 'full'>({
    environment: 'TIDEMILL_SKLEARN_CHECKS',
    flag: 'sklearn-checks',
    default: 'quick',
    reason:
      'Whether models of scikit-learn pass by the checks of rows that are plainly in order; `full` leaves scikit-learn as it is.',
    parse: parseOneOf('quick', 'full'),
  }),
  logLevel: setting<(typeof logLevels)[number]>({
    environment: 'TIDEMILL_LOG_LEVEL',
    flag: 'log-level',
    default: 'info',
    reason: 'How much is logged.',
    parse: parseOneOf(...logLevels),
  }),
  stopTimeoutMs: setting<number>({
    environment: 'TIDEMILL_STOP_TIMEOUT_MS',
    flag: 'stop-timeout-ms',
    default: 10_000,
    unit: 'ms',
    reason: 'How long a stop waits for requests under way.',
    parse: parseInteger(0, 600_000),
  }),
} as const;

type Settings = typeof settings;
/** The configuration as it was given, before anything is derived. */
export type RawConfig = { readonly [K in keyof Settings]: Settings[K] extends Setting<infer T> ? T : never };
