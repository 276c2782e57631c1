import { isAppError } from '#platform/errors';
import { createLogger, type Logger } from '#platform/log';
import { readVersion } from '#platform/package-path';
import { startDataPlane } from './data-plane.ts';
import { parseServingOptions, type ServingOptions, servingUsage } from './serving-options.ts';

// The data plane as its own process: `node dist/serving/main.js`. On stdout one line of JSON when it is ready to be asked.
if (process.argv.includes('--help')) {
  console.log(servingUsage);
} else {
  await main();
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) return;
  const logger = createLogger({
    name: 'serving',
    ...(options.logFile !== undefined && { destination: { file: options.logFile } }),
  });
  // A promise that nobody watches is a fault of ours, not a reason to drop every request.
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandled rejection'));
  try {
    const plane = await startDataPlane(options, logger);
    stopOnSignal(() => plane.stop(), logger);
    console.log(JSON.stringify({ url: plane.url, grpcAddress: plane.grpcAddress, boot: plane.boot, pid: process.pid }));
  } catch (error) {
    const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    console.error(
      isAppError(error)
        ? error.message
        : inUse
          ? `port ${options.port} on ${options.host} is in use; choose another with --port`
          : String(error),
    );
    process.exit(1);
  }
}

function readOptions(): ServingOptions | undefined {
  try {
    return parseServingOptions(process.argv.slice(2), process.env, readVersion());
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${servingUsage}`);
    process.exitCode = 2;
    return undefined;
  }
}

/** The first signal drains; a second one ends at once, with nothing lost that was answered: it is in the spool. */
function stopOnSignal(stop: () => Promise<void>, logger: Logger): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(1);
    stopping = true;
    logger.info({ signal }, 'draining');
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'the data plane could not stop in order');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
