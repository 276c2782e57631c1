import { Command } from 'commander';
import { getRun } from '#contracts/pipelines';
import type { Client } from '../../sdk/index.ts';
import { type CliContext, type CliEnvironment, createContext } from '../context.ts';
import { type LogPrinter, printLogs, printStepLogs } from '../follow-logs.ts';

export function createLogsCommand(world: CliEnvironment): Command {
  return new Command('logs')
    .description('Prints what a job or the step of a run has written.')
    .argument('<what>', 'job id, run id (all its steps) or <run>/<step>')
    .option('-f, --follow', 'go on until it has ended')
    .action(async (what: string, options: { follow?: boolean }, command: Command) => {
      const context = createContext(command, world);
      const client = await context.connect();
      const [id = '', ...rest] = what.replace(/^(?:run|job|pipeline-step):/, '').split('/');
      const step = rest.join('/');
      const asked = {
        client,
        printer: createPrinter(context),
        signal: context.signal,
        follow: options.follow ?? false,
      };
      if (what.startsWith('job:') || (step === '' && !(await isRun(client, id))))
        await printLogs({ ...asked, jobId: id });
      else await printStepLogs({ ...asked, runId: id, step });
    });
}

async function isRun(client: Client, runId: string): Promise<boolean> {
  try {
    await client.call(getRun, { params: { runId }, query: {} });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'RUN_NOT_FOUND') return false;
    throw error;
  }
}

/** Headings are talk; what was written is data, as it is, or lines of JSON. */
function createPrinter({ output, stdout }: CliContext): LogPrinter {
  let unfinished = false;
  return {
    heading(title) {
      // a heading does not stand in the midst of another step's line
      if (unfinished && !output.json) stdout.write('\n');
      unfinished = false;
      output.say(`--- ${title}`);
    },
    text(job, step, text) {
      if (output.json) output.line({ job, ...(step !== undefined && { step }), text }, () => text);
      else stdout.write(text);
      unfinished = !text.endsWith('\n');
    },
  };
}
