import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { type CliEnvironment, createContext } from '../context.ts';

interface Options {
  readonly servingPort: number;
  readonly grpcPort: number | undefined;
  readonly host: string;
  readonly models?: readonly string[];
  readonly watch?: boolean;
  readonly memoryBytes?: number;
  readonly maxBodyBytes: number;
  readonly grpcMaxMessageBytes: number;
  readonly python?: string;
}

export function createServeCommand(world: CliEnvironment): Command {
  return new Command('serve')
    .description(
      'Serves models from disk over REST and gRPC, without a server to keep: a file (.onnx, .joblib, .pkl, .ubj, .bst), the folder of a model of MLflow, MLServer or Triton, or a folder of these. Ctrl-C stops.',
    )
    .argument('<path>', 'file or folder')
    .option('--serving-port <port>', 'for REST; 0 = any that is free', toPort, 7879)
    .option('--grpc-port <port>', 'for gRPC; 0 = any that is free, off = none', toPortOrOff, 7880)
    .option('--host <address>', 'to listen on', '127.0.0.1')
    .option('--models <names>', 'only these, with a comma between', (text: string) => text.split(','))
    .option('--watch', 'load what changes on disk')
    .option(
      '--memory-bytes <n>',
      'what models may hold in memory together; others leave it until they are asked',
      toBytes,
    )
    .option('--max-body-bytes <n>', 'the longest request', toBytes, 64 * 1024 ** 2)
    .option('--grpc-max-message-bytes <n>', 'the longest message of gRPC', toBytes, 64 * 1024 ** 2)
    .option('--python <path>', 'the interpreter for models in Python; default: the one that their environment asks for')
    .action(async (path: string, options: Options, command: Command) => {
      const context = createContext(command, world);
      const { serve } = await import('../../serving/local/serve.ts');
      await serve({
        path: resolve(world.cwd, path),
        only: options.models,
        watch: options.watch === true,
        host: options.host,
        port: options.servingPort,
        grpcPort: options.grpcPort,
        grpcMaxMessageBytes: options.grpcMaxMessageBytes,
        maxBodyBytes: options.maxBodyBytes,
        allowedHosts: [],
        memoryBytes: options.memoryBytes,
        python: options.python,
        pythonFolder: undefined,
        home: command.optsWithGlobals<{ readonly home?: string }>().home,
        signal: world.signal,
        ready: (served) =>
          context.output.line(served, () => {
            const names = served.models.map(({ name, versions }) => `${name} (${versions.join(', ')})`);
            const grpc = served.grpcAddress === undefined ? '' : `, gRPC at ${served.grpcAddress}`;
            return `Serving ${names.join(', ')} at ${served.url}${grpc}; GET ${served.url}/ says how to ask`;
          }),
      });
    });
}

function toPort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('It takes a whole number up to 65535.');
}

const toPortOrOff = (text: string): number | undefined => (text === 'off' ? undefined : toPort(text));

function toBytes(text: string): number {
  const bytes = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new InvalidArgumentError('It takes a number of bytes.');
}
