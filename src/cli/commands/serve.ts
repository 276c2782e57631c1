import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { Command, InvalidArgumentError, Option } from 'commander';
import { defaultProject } from '#contracts/references';
import { type CliContext, type CliEnvironment, CliError, createContext } from '../context.ts';
import { isModelTarget, parseModelTarget } from '../model-target.ts';
import { readVariables } from '../option-variables.ts';

interface Options {
  readonly servingPort: number;
  readonly grpcPort: number | 'off';
  readonly host: string;
  /** False of --no-models. */
  readonly models?: readonly string[] | false;
  readonly watch?: boolean;
  readonly memoryBytes?: number;
  readonly maxBodyBytes: number;
  readonly requestMemoryBytes?: number;
  readonly maxConnections?: number;
  readonly cacheBytes: number;
  readonly allowedHosts?: readonly string[];
  readonly grpcMaxMessageBytes: number;
  readonly python?: string;
  readonly sklearnChecks?: 'quick' | 'full';
  readonly modelControl?: 'on' | 'off';
  readonly requireToken?: string;
}

export function createServeCommand(world: CliEnvironment): Command {
  return new Command('serve')
    .description(
      'Serves models over REST and gRPC, without a server to keep: a file (.onnx, .joblib, .pkl, .ubj, .xgb, .bst, .lgb), the folder of a model (of MLflow, MLServer, Triton, a graph.yaml, model.py or command.json), a folder of these, or a version of a registry, which is fetched once. Ctrl-C stops.',
    )
    .argument('<what>', 'file, folder, or model:<name>@<alias or number>')
    .option('--serving-port <port>', 'for REST; 0 = any that is free', toPort, 7879)
    .option('--grpc-port <port>', 'for gRPC; 0 = any that is free, off = none', toPortOrOff, 7880)
    .option('--host <address>', 'to listen on', '127.0.0.1')
    .option('--models <names>', 'load these alone, with a comma between', toList)
    .option('--no-models', 'load none before a request asks for it')
    .option('--watch', 'load what changes on disk, or the version that the alias comes to name')
    .addOption(
      new Option(
        '--model-control <on|off>',
        'whether requests may load and unload models; default: on where it listens on this machine alone',
      ).choices(['on', 'off']),
    )
    .option('--require-token <file>', 'answer only who shows one of these tokens, one a line')
    .option(
      '--memory-bytes <n>',
      'what models may hold in memory together; others leave it until they are asked',
      toBytes,
    )
    .option('--request-memory-bytes <n>', 'what all requests under way may hold; default: 256 MiB', toBytes)
    .option('--max-body-bytes <n>', 'the longest request', toBytes, 64 * 1024 ** 2)
    .option('--grpc-max-message-bytes <n>', 'the longest message of gRPC', toBytes, 64 * 1024 ** 2)
    .option(
      '--cache-bytes <n>',
      'of a registry: what is kept of models that were fetched and are not served now, for other starts',
      toBytesOrNone,
      10 * 1024 ** 3,
    )
    .option('--max-connections <n>', 'of REST and of gRPC; default: 8192', toBytes)
    .option('--allowed-hosts <names>', 'by which callers address it beside localhost, with a comma between', toList)
    .option('--python <path>', 'the interpreter for models in Python; default: the one that their environment asks for')
    .addOption(
      new Option('--sklearn-checks <quick|full>', 'full leaves scikit-learn as it is; default: quick').choices([
        'quick',
        'full',
      ]),
    )
    .action(async (what: string, _: unknown, command: Command) => {
      readVariables(command, variables, world.environment);
      const options = command.opts<Options>();
      const context = createContext(command, world);
      const isRegistered = isModelTarget(what);
      const from = isRegistered
        ? await namedInRegistry(what, context, options.cacheBytes)
        : { path: resolve(world.cwd, what) };
      const tokenDigests =
        options.requireToken === undefined ? [] : await readTokens(resolve(world.cwd, options.requireToken));
      const { serve: start } = await import('../../serving/local/serve.ts');
      await start({
        from,
        only: options.models === false ? [] : options.models,
        watch: options.watch === true,
        ...(isRegistered && { lookMs: registryLookMs }),
        host: options.host,
        port: options.servingPort,
        grpcPort: options.grpcPort === 'off' ? undefined : options.grpcPort,
        grpcMaxMessageBytes: options.grpcMaxMessageBytes,
        maxBodyBytes: options.maxBodyBytes,
        ...(options.requestMemoryBytes !== undefined && { requestMemoryBytes: options.requestMemoryBytes }),
        ...(options.maxConnections !== undefined && { maxConnections: options.maxConnections }),
        allowedHosts: options.allowedHosts ?? [],
        modelControl: options.modelControl,
        tokenDigests,
        memoryBytes: options.memoryBytes,
        python: options.python,
        sklearnChecks: options.sklearnChecks,
        pythonFolder: join(context.home, 'python'), // also without --home: an environment takes longer than a start
        home: isHomeNamed(command) ? join(context.home, 'serve') : undefined,
        signal: world.signal,
        ready: (served) =>
          context.output.line(served, () => {
            const names = served.models.map(({ name, versions }) => `${name} (${versions.join(', ')})`);
            const grpc = served.grpcAddress === undefined ? '' : `, gRPC at ${served.grpcAddress}`;
            return `Serving ${names.join(', ') || 'no model yet'} at ${served.url}${grpc}; GET ${served.url}/ says how to ask`;
          }),
      });
    });
}

/** The other ways to start a data plane, as a replica and by `tidemill up`, read them too. */
const variables = {
  'serving-port': 'TIDEMILL_SERVING_PORT',
  'grpc-port': 'TIDEMILL_GRPC_PORT',
  host: 'TIDEMILL_SERVING_HOST',
  'memory-bytes': 'TIDEMILL_MEMORY_BYTES',
  'request-memory-bytes': 'TIDEMILL_REQUEST_MEMORY_BYTES',
  'max-body-bytes': 'TIDEMILL_MAX_BODY_BYTES',
  'grpc-max-message-bytes': 'TIDEMILL_GRPC_MAX_MESSAGE_BYTES',
  'max-connections': 'TIDEMILL_MAX_CONNECTIONS',
  'cache-bytes': 'TIDEMILL_CACHE_BYTES',
  'allowed-hosts': 'TIDEMILL_ALLOWED_HOSTS',
  python: 'TIDEMILL_PYTHON',
  'sklearn-checks': 'TIDEMILL_SKLEARN_CHECKS',
} as const;

const toList = (text: string): readonly string[] => text.split(',').filter((one) => one !== '');

function toPort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('It takes a whole number up to 65535.');
}

const toPortOrOff = (text: string): number | 'off' => (text === 'off' ? text : toPort(text));

/** Without one nothing that is served leaves a trace, but for what is worth keeping: fetched files, environments of Python. */
const isHomeNamed = (command: Command): boolean =>
  command.optsWithGlobals<{ readonly home?: string }>().home !== undefined;

/** How often an alias is asked for. */
const registryLookMs = 2_000;

/** What is fetched lies in Tidemill's folder, so that the next start finds it. */
async function namedInRegistry(text: string, context: CliContext, cacheBytes: number) {
  const { createModelRegistry } = await import('../model-registry.ts');
  const model = { ...parseModelTarget(text), project: (await context.findProject()) ?? defaultProject };
  return { registry: createModelRegistry(context.connect), model, cache: join(context.home, 'serve'), cacheBytes };
}

async function readTokens(path: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError('TOKEN_FILE_UNREADABLE', 2, `the tokens cannot be read from ${path}: ${reason}`);
  });
  const tokens = text.split(/\s+/).filter((token) => token !== '');
  if (tokens.length === 0) throw new CliError('TOKEN_FILE_UNREADABLE', 2, `there is no token in ${path}`);
  return tokens.map((token) => createHash('sha256').update(token).digest('hex'));
}

const toBytesOrNone = (text: string): number => (text === '0' ? 0 : toBytes(text));

function toBytes(text: string): number {
  const bytes = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new InvalidArgumentError('It takes a number of bytes.');
}
