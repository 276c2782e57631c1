import { Command } from 'commander';
import { type CliEnvironment, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';

const signs = { ok: '✓', warning: '!', failed: '✗' } as const;

interface DoctorOptions {
  readonly port?: string;
  readonly servingPort?: string;
  readonly blobs?: string;
  readonly s3Endpoint?: string;
}

export function createDoctorCommand(world: CliEnvironment): Command {
  return new Command('doctor')
    .description('Checks that this machine has what Tidemill needs; says how to mend what is missing.')
    .option('--port <number>', 'port of the API and the web page')
    .option('--serving-port <number>', 'port of predictions')
    .option('--blobs <place>', 'a folder or s3://<bucket>[/<prefix>], which is tried as a start does')
    .option('--s3-endpoint <url>', 'the address of an S3 server other than that of Amazon')
    .action(async (options: DoctorOptions, command: Command) => {
      const { output, home, runningServer } = createContext(command, world);
      const { diagnose } = await import('../../app/doctor.ts');
      const running = await runningServer();
      const findings = await diagnose({
        flags: { home, ...options },
        environment: world.environment,
        cwd: world.cwd,
        ...(running !== undefined && { running }),
      });
      const failed = findings.filter((finding) => finding.state === 'failed').length;
      output.result({ ok: failed === 0, findings }, () =>
        findings
          .map(({ name, state, message }) => `${paint(state, output.colors)} ${name.padEnd(16)} ${message}`)
          .join('\n'),
      );
      output.say(
        failed === 0 ? 'Everything that is needed is there.' : `${failed} to mend before Tidemill can do its work.`,
      );
      if (failed > 0) setExitCode(command, 1);
    });
}

function paint(state: keyof typeof signs, colors: ReturnType<typeof createContext>['output']['colors']): string {
  const color = { ok: colors.green, warning: colors.yellow, failed: colors.red }[state];
  return color(signs[state]);
}
