import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { type CliEnvironment, CliError, createContext } from '../context.ts';

const timeoutMs = 30_000;

export function createDownCommand(world: CliEnvironment): Command {
  return new Command('down')
    .description(
      'Stops the server that runs from the home folder: the data plane hands its records over, then both end.',
    )
    .action(async (_options: unknown, command: Command) => {
      const context = createContext(command, world);
      const running = await context.runningServer();
      const alive = running !== undefined && sendSignal(running.pid, 'SIGTERM');
      if (alive) {
        const until = Date.now() + timeoutMs;
        while (sendSignal(running.pid, 0)) {
          if (Date.now() > until)
            throw new CliError(
              'STOP_TIMED_OUT',
              1,
              `process ${running.pid} has not ended after ${timeoutMs / 1000} s; see ${context.home}/logs/control.log`,
            );
          await delay(20);
        }
      }
      // after a crash of the control plane only the data plane is left
      const { findDataPlane, stopDataPlane } = await import('../../app/data-plane-process.ts');
      const left = await findDataPlane(`${context.home}/serving`);
      await stopDataPlane(`${context.home}/serving`);
      const stopped = alive || left !== undefined;
      context.output.result({ stopped }, () => (stopped ? 'Stopped.' : `Nothing runs from ${context.home}.`));
    });
}

function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
