import { tmpdir } from 'node:os';
import { Writable } from 'node:stream';
import type { CommandEntry } from '../command-list.ts';
import { runCli } from '../run-cli.ts';

export function collectText() {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  return { stream, text: () => text };
}

/** One command line, as `main` runs it, in a world of its own. */
export async function runLine(
  line: string,
  options: { entries?: readonly CommandEntry[]; environment?: Record<string, string>; cwd?: string } = {},
) {
  const [stdout, stderr] = [collectText(), collectText()];
  const code = await runCli(
    line === '' ? [] : line.split(' '),
    {
      stdout: stdout.stream,
      stderr: stderr.stream,
      environment: { PATH: process.env['PATH'], ...options.environment },
      cwd: options.cwd ?? tmpdir(),
      signal: new AbortController().signal,
    },
    { version: '1.2.3', ...(options.entries !== undefined && { entries: options.entries }) },
  );
  return { code, out: stdout.text(), err: stderr.text() };
}
