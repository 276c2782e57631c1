import type { Writable } from 'node:stream';
import type { Output } from './output.ts';

const everyMs = 200;
const linesEveryMs = 10_000;

export interface ProgressLine {
  /** Shows a line; on a terminal it takes the place of the one before. */
  show(text: () => string): void;
  end(): void;
}

/** One line that changes on a terminal, a line now and then elsewhere, nothing with --json and --quiet. */
export function createProgressLine(output: Output, stderr: Writable, quiet: boolean): ProgressLine {
  const isTerminal = 'isTTY' in stderr && stderr.isTTY === true;
  let shownMs = performance.now();
  let open = false;
  return {
    show(text) {
      const now = performance.now();
      if (quiet || now - shownMs < (isTerminal ? everyMs : linesEveryMs)) return;
      shownMs = now;
      open = true;
      if (isTerminal) stderr.write(`\r\u001B[2K${text()}`);
      else output.say(text());
    },
    end() {
      if (open && isTerminal) stderr.write('\r\u001B[2K');
    },
  };
}
