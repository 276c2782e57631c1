import { join, relative } from 'node:path';
import { Command } from 'commander';
import { type CliContext, type CliEnvironment, CliError, createContext } from '../context.ts';
import { packagePath } from '../package-path.ts';
import { stopServer } from '../stop-server.ts';

/** Chosen once: under 4 minutes on 2 cores once the Python environment stands, and every room has enough rows. */
const defaultShare = 0.1;

/** Until here the first model learns. */
const firstReplayed = '2013-03-01';

export function createDemoCommand(world: CliEnvironment): Command {
  return new Command('demo')
    .description(
      'Carries one model round its whole loop on a year of real flights: trained, served, decayed, retrained, better.',
    )
    .option('--share <0..1>', 'part of the flights that are replayed', String(defaultShare))
    .option('--seed <number>', 'which of them', '1')
    .option('--until <day>', 'first day that is not replayed any more', '2013-09-01')
    .option('--fresh', 'start over: empties the home folder of an earlier demo')
    .option('--exit', 'stop the server at the end')
    .option('--port <number>', 'port of the API and the web page')
    .option('--serving-port <number>', 'port of predictions')
    .action(
      async (
        options: {
          share: string;
          seed: string;
          until: string;
          fresh?: boolean;
          exit?: boolean;
          port?: string;
          servingPort?: string;
        },
        command: Command,
      ) => {
        const context = createContext(command, world);
        const share = Number(options.share);
        if (!(share > 0 && share <= 1))
          throw new CliError('SHARE_INVALID', 2, `--share must be above 0 and at most 1, not ${options.share}`);
        const seed = Number(options.seed);
        if (!Number.isInteger(seed))
          throw new CliError('SEED_INVALID', 2, `--seed must be a whole number, not ${options.seed}`);
        const { until, fresh = false, exit = false } = options;
        if (!/^2013-\d\d-\d\d$/.test(until) || Number.isNaN(Date.parse(until)) || until <= firstReplayed)
          throw new CliError('UNTIL_INVALID', 2, `--until must be a day of 2013 after ${firstReplayed}, not ${until}`);
        const [{ runDemo }, { printReport }] = await Promise.all([
          import('../demo/demo.ts'),
          import('../demo/report.ts'),
        ]);
        const upFlags = {
          ...(options.port !== undefined && { port: options.port }),
          ...(options.servingPort !== undefined && { servingPort: options.servingPort }),
        };
        const report = await runDemo(context, { share, seed, until, fresh, exit, upFlags });
        context.output.result(report, () => printReport(report, callOf(context), exit));
        if (exit) await stopServer(context);
      },
    );
}

/** What to type in this folder to reach what the demo has left. */
function callOf({ home, cwd }: CliContext): string {
  const program = relative(cwd, packagePath('bin', 'tidemill'));
  const ours = home === join(cwd, '.tidemill') ? '' : ` --home ${home}`;
  return `${program.startsWith('..') ? 'tidemill' : `./${program}`}${ours}`;
}
