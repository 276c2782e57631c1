import { type DestinationStream, destination, type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  /** Default `info`. ERROR means that somebody must act. */
  readonly level?: LogLevel;
  /** The process or part that writes: `control`, `serving`. */
  readonly name?: string;
  /** A file (appended, its folder made) or `stderr`, the default. */
  readonly destination?: 'stderr' | { readonly file: string } | DestinationStream;
  /** Last pass over each finished line: masks the values of known secrets. */
  readonly mask?: (line: string) => string;
}

const secretKeys = ['authorization', 'cookie', 'password', 'token', 'secret', 'apiKey', 'accessKey', 'secretKey'];

/** JSON lines, written before the call returns so that none is lost when the process is killed. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const { mask } = options;
  return pino(
    {
      level: options.level ?? 'info',
      ...(options.name !== undefined && { name: options.name }),
      base: { pid: process.pid },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '[redacted]' },
      ...(mask !== undefined && { hooks: { streamWrite: mask } }),
    },
    toStream(options.destination ?? 'stderr'),
  );
}

function toStream(target: NonNullable<LoggerOptions['destination']>): DestinationStream {
  if (target === 'stderr') return destination({ dest: 2, sync: true });
  if ('file' in target) return destination({ dest: target.file, sync: true, mkdir: true, append: true });
  return target;
}
