import { type AppError, isAppError, withCause } from '#platform/errors';
import { type SourceProblem, workerErrors } from './worker-errors.ts';

/** What a failing statement was about, which decides whose mistake it is. */
export type FailureContext =
  | { readonly kind: 'task' }
  /** SQL that a user wrote; `what` names it in messages. */
  | { readonly kind: 'sql'; readonly what: string }
  /** A file that a user brought; `name` is what messages call it. */
  | { readonly kind: 'source'; readonly path: string; readonly name: string; readonly mend: string };

const userMistakes =
  /^(?:Parser|Binder|Catalog|Conversion|Invalid Input|Out of Range|Not implemented|Syntax|Constraint) Error/;

/** DuckDB's error as ours; errors that are ours already pass through. */
export function toAppError(error: unknown, context: FailureContext = { kind: 'task' }): AppError {
  if (isAppError(error)) return error;
  // what is wrong with the SQL comes behind these words when it does not even parse
  const text = (error instanceof Error ? error.message : String(error)).replace(/^Failed to extract statements: /, '');
  return withCause(classify(text, context), error);
}

function classify(text: string, context: FailureContext): AppError {
  const reason = shorten(text);
  if (text.startsWith('INTERRUPT Error')) return workerErrors.TASK_CANCELLED('query');
  if (text.startsWith('Out of Memory Error')) return workerErrors.WORKER_OUT_OF_MEMORY(reason);
  if (/No space left on device|disk quota exceeded/i.test(text)) return workerErrors.DISK_FULL(reason);
  if (context.kind === 'sql') {
    if (text.startsWith('Permission Error')) return workerErrors.SQL_FORBIDDEN(context.what, reason);
    if (userMistakes.test(text)) return workerErrors.SQL_INVALID(context.what, reason);
  }
  if (context.kind === 'source') return workerErrors.SOURCE_UNREADABLE(toSourceProblem(text, context));
  return workerErrors.TASK_FAILED(reason);
}

function toSourceProblem(
  text: string,
  { path, name, mend }: Extract<FailureContext, { readonly kind: 'source' }>,
): SourceProblem {
  const line = /(?:on Line: |in line |Line: )(\d+)/i.exec(text)?.[1];
  const column = /(?:converting column|Column) "([^"]+)"/i.exec(text)?.[1];
  return {
    file: name,
    ...(line !== undefined && { line: Number(line) }),
    ...(column !== undefined && { column }),
    reason: shorten(text.replace(/\nLINE \d+:[^]*$/, ''))
      .replaceAll(path, name)
      .replace(/^[A-Z][A-Za-z ]* Error: /, '')
      .replace(/\.$/, ''),
    mend,
  };
}

/** The sentence of DuckDB's message, and the line of SQL that it points at; not the pages of candidates and settings. */
export function shorten(text: string): string {
  const [head = ''] = text.split(/\n\s*\n|\nPossible (?:fixes|solutions)|\nCandidate/);
  const pointer = /LINE (\d+): (.*)/.exec(text);
  const said = head.replace(/\s+/g, ' ').trim().slice(0, 500);
  return pointer === null ? said : `${said} (line ${pointer[1]}: ${pointer[2]?.trim().slice(0, 200)})`;
}
