import { setTimeout as delay } from 'node:timers/promises';
import { type CliContext, CliError } from './context.ts';

const timeoutMs = 30_000;

/** Stops what runs from the home folder, both planes in order; false when nothing did. */
export async function stopServer(context: CliContext): Promise<boolean> {
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
  const { findDataPlane, stopDataPlane } = await import('../app/data-plane-process.ts');
  const left = await findDataPlane(`${context.home}/serving`);
  await stopDataPlane(`${context.home}/serving`);
  return alive || left !== undefined;
}

/** Whether there is such a process, also one of another user. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
