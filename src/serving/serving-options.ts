import { parseArgs } from 'node:util';
import { namePattern } from '#contracts/references';
import type { SklearnChecks } from '#runtimes/python/python-runtime';
import { defaultMaxConnections } from './listeners.ts';
import { defaultRequestMemoryBytes } from './request-memory.ts';
import { defaultSpoolLimits, type SpoolLimits } from './spool.ts';
import type { OtelVariables } from './tracing/tracing.ts';

export interface ServingOptions {
  readonly controlUrl: string;
  readonly token: string | undefined;
  readonly pool: string;
  readonly replica: string;
  readonly host: string;
  readonly port: number;
  /** Undefined: nothing listens for gRPC. */
  readonly grpcPort: number | undefined;
  readonly grpcMaxMessageBytes: number;
  readonly home: string;
  readonly allowedHosts: readonly string[];
  readonly logFile: string | undefined;
  /** Where Python environments are kept; default: in the home. */
  readonly pythonFolder: string | undefined;
  /** The interpreter for models that name none. */
  readonly python: string | undefined;
  readonly sklearnChecks?: SklearnChecks | undefined;
  readonly reportEveryMs: number;
  readonly deliverEveryMs: number;
  readonly drainMs: number;
  /** Of one request's body; an endpoint may take less. */
  readonly maxBodyBytes: number;
  /** What models may hold in memory together; undefined = no limit. */
  readonly memoryBytes: number | undefined;
  /** What requests and answers under way may hold together. */
  readonly requestMemoryBytes?: number;
  readonly maxConnections?: number;
  readonly spool: SpoolLimits;
  readonly programVersion: string;
  /** OpenTelemetry's variables, which say where traces go. */
  readonly otel?: OtelVariables;
}

/** A body and its answer must fit one frame of the spool. */
const maxBodyBytesLimit = 128 * 1024 ** 2;

export const servingUsage = `usage: node dist/serving/main.js --control-url <url> --home <folder> [options]
  --control-url <url>      the control plane            TIDEMILL_CONTROL_URL
  --home <folder>          spec, files and spool        TIDEMILL_SERVING_HOME
  --pool <name>            default: default             TIDEMILL_POOL
  --replica <name>         default: local               TIDEMILL_REPLICA
  --host <address>         default: 127.0.0.1           TIDEMILL_SERVING_HOST
  --port <number>          default: 7879, 0 = any       TIDEMILL_SERVING_PORT
  --grpc-port <number>     default: 7880, any where the port is not its default; 0 = any, off = none  TIDEMILL_GRPC_PORT
  --grpc-max-message-bytes <n>  default: 64 MiB         TIDEMILL_GRPC_MAX_MESSAGE_BYTES
  --allowed-hosts <a,b>    further names in Host        TIDEMILL_ALLOWED_HOSTS
  --log-file <path>        default: stderr              TIDEMILL_SERVING_LOG
  --max-body-bytes <n>     default: 64 MiB              TIDEMILL_MAX_BODY_BYTES
  --python <program>       default: the first on PATH   TIDEMILL_PYTHON
  --python-folder <path>   default: <home>/python       TIDEMILL_PYTHON_FOLDER
  --sklearn-checks <quick|full>  default: quick; full leaves scikit-learn as it is (docs/python-models.md)  TIDEMILL_SKLEARN_CHECKS
  --report-every-ms <n>    default: 2000
  --deliver-every-ms <n>   default: 1000
  --drain-ms <n>           default: 5000
  --memory-bytes <n>       of models together, default: no limit; those unused for longest leave and come back when
                           asked                        TIDEMILL_MEMORY_BYTES
  --request-memory-bytes <n>  of requests and answers under way together, default: 256 MiB; beyond it 503
                                                        TIDEMILL_REQUEST_MEMORY_BYTES
  --max-connections <n>    of REST and of gRPC, default: 8192  TIDEMILL_MAX_CONNECTIONS
  --spool-max-bytes <n>    default: 4 GiB               TIDEMILL_SPOOL_MAX_BYTES
Traces: OTEL_EXPORTER_OTLP_ENDPOINT and the other variables of OpenTelemetry; none without it.
The pool's token comes by the environment alone: TIDEMILL_POOL_TOKEN.`;

const defaultPort = 7879;

type LimitFlag =
  | 'grpc-max-message-bytes'
  | 'max-body-bytes'
  | 'memory-bytes'
  | 'request-memory-bytes'
  | 'max-connections'
  | 'spool-max-bytes';

/** Flags win over the environment. Throws one error that names every problem. */
export function parseServingOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  programVersion: string,
): ServingOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      'control-url': text,
      home: text,
      pool: text,
      replica: text,
      host: text,
      port: text,
      'grpc-port': text,
      'grpc-max-message-bytes': text,
      'allowed-hosts': text,
      'log-file': text,
      'max-body-bytes': text,
      python: text,
      'python-folder': text,
      'sklearn-checks': text,
      'report-every-ms': text,
      'deliver-every-ms': text,
      'drain-ms': text,
      'memory-bytes': text,
      'request-memory-bytes': text,
      'max-connections': text,
      'spool-max-bytes': text,
    },
  });
  const problems: string[] = [];
  const required = (flag: 'control-url' | 'home', variable: string): string => {
    const value = values[flag] ?? environment[variable];
    if (value === undefined || value === '') problems.push(`--${flag} (or ${variable}) is missing`);
    return value ?? '';
  };
  const integer = (flag: string, value: string | undefined, fallback: number, max: number): number => {
    if (value === undefined) return fallback;
    const number = Number(value);
    if (/^\d+$/.test(value) && number <= max) return number;
    problems.push(`--${flag} is "${value}"; it takes a whole number up to ${max}`);
    return fallback;
  };
  /** Of a flag, or of the variable of its name. */
  const limit = (flag: LimitFlag, fallback: number, max = Number.MAX_SAFE_INTEGER): number =>
    integer(flag, values[flag] ?? environment[`TIDEMILL_${flag.toUpperCase().replaceAll('-', '_')}`], fallback, max);
  const name = (flag: 'pool' | 'replica', variable: string, fallback: string): string => {
    const value = values[flag] ?? environment[variable] ?? fallback;
    if (!new RegExp(namePattern).test(value))
      problems.push(`--${flag} is "${value}"; it takes letters, digits, ".", "_" and "-"`);
    return value;
  };
  const checks = (): SklearnChecks => {
    const value = values['sklearn-checks'] ?? environment['TIDEMILL_SKLEARN_CHECKS'] ?? 'quick';
    if (value === 'quick' || value === 'full') return value;
    problems.push(`--sklearn-checks is "${value}"; it takes quick or full`);
    return 'quick';
  };

  const port = integer('port', values.port ?? environment['TIDEMILL_SERVING_PORT'], defaultPort, 65_535);
  const grpcPort = values['grpc-port'] ?? environment['TIDEMILL_GRPC_PORT'];
  const controlUrl = required('control-url', 'TIDEMILL_CONTROL_URL');
  if (controlUrl !== '' && !/^https?:$/.test(URL.canParse(controlUrl) ? new URL(controlUrl).protocol : ''))
    problems.push(`--control-url is "${controlUrl}"; it takes http://… or https://…`);
  const options: ServingOptions = {
    controlUrl,
    home: required('home', 'TIDEMILL_SERVING_HOME'),
    token: environment['TIDEMILL_POOL_TOKEN'],
    pool: name('pool', 'TIDEMILL_POOL', 'default'),
    replica: name('replica', 'TIDEMILL_REPLICA', 'local'),
    host: values.host ?? environment['TIDEMILL_SERVING_HOST'] ?? '127.0.0.1',
    port,
    grpcPort: grpcPort === 'off' ? undefined : integer('grpc-port', grpcPort, port === defaultPort ? 7880 : 0, 65_535),
    grpcMaxMessageBytes: limit('grpc-max-message-bytes', 64 * 1024 ** 2, 2 ** 31 - 1),
    allowedHosts: (values['allowed-hosts'] ?? environment['TIDEMILL_ALLOWED_HOSTS'] ?? '')
      .split(',')
      .filter((host) => host !== ''),
    logFile: values['log-file'] ?? environment['TIDEMILL_SERVING_LOG'],
    maxBodyBytes: limit('max-body-bytes', 64 * 1024 ** 2, maxBodyBytesLimit),
    pythonFolder: values['python-folder'] ?? environment['TIDEMILL_PYTHON_FOLDER'],
    python: values.python ?? environment['TIDEMILL_PYTHON'],
    sklearnChecks: checks(),
    reportEveryMs: integer('report-every-ms', values['report-every-ms'], 2_000, 3_600_000),
    deliverEveryMs: integer('deliver-every-ms', values['deliver-every-ms'], 1_000, 3_600_000),
    drainMs: integer('drain-ms', values['drain-ms'], 5_000, 3_600_000),
    memoryBytes:
      (values['memory-bytes'] ?? environment['TIDEMILL_MEMORY_BYTES']) === undefined
        ? undefined
        : limit('memory-bytes', 0),
    requestMemoryBytes: limit('request-memory-bytes', defaultRequestMemoryBytes),
    maxConnections: limit('max-connections', defaultMaxConnections, 1_000_000),
    spool: { ...defaultSpoolLimits, maxBytes: limit('spool-max-bytes', defaultSpoolLimits.maxBytes) },
    programVersion,
    otel: environment,
  };
  if (problems.length > 0) throw new Error(problems.join('; '));
  return options;
}
