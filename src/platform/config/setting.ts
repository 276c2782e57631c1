import { parseDuration } from '#contracts/duration';

/** What a default may depend on. */
export interface MachineFacts {
  readonly cpus: number;
  readonly memoryMb: number;
}

/** One key of the configuration: the server reads it, `--help` and the reference are printed from it. */
export interface Setting<T> {
  readonly environment: `TIDEMILL_${string}`;
  /** Name of the command-line option, without dashes. */
  readonly flag: string;
  readonly default: T | ((facts: MachineFacts) => T);
  /** The default in words, where it depends on the machine. */
  readonly defaultText?: string;
  readonly unit?: string;
  /** Why one would change it. */
  readonly reason: string;
  /** Throws an Error that says what was expected. */
  readonly parse: ((text: string) => T) & { readonly choices?: readonly string[] };
}

export function parseInteger(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || value < min || value > max)
      throw new Error(`a whole number from ${min} to ${max} is expected`);
    return value;
  };
}

export function parseNumber(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < min)
      throw new Error(`a number of at least ${min} is expected`);
    return value;
  };
}

export function parseOneOf<const T extends string>(
  ...choices: readonly T[]
): ((text: string) => T) & { readonly choices: readonly T[] } {
  const parse = (text: string): T => {
    const found = choices.find((choice) => choice === text);
    if (found === undefined) throw new Error(`one of ${choices.join(', ')} is expected`);
    return found;
  };
  return Object.assign(parse, { choices });
}

export function parseText(text: string): string {
  if (text.trim() === '') throw new Error('a text is expected');
  return text;
}

export function parseList(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** Milliseconds of a duration as people write it. */
export function parseTime(text: string): number {
  const timeMs = parseDuration(text);
  if (timeMs === undefined) throw new Error('a duration is expected, as 30d, 12h or 1d12h');
  return timeMs;
}

export function parseDatabaseUrl(text: string): string {
  if (/^[a-z]+:\/\//i.test(text) && !/^postgres(ql)?:\/\//.test(text))
    throw new Error('a file path or a postgres:// address is expected');
  return parseText(text);
}

export function parseBlobsPlace(text: string): string {
  if (!/^[a-z0-9]+:\/\//i.test(text)) return parseText(text);
  if (!/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:\/|$)/.test(text) || /(?:^|\/)\.{1,2}(?:\/|$)|[\0\\?#]/.test(text))
    throw new Error(
      'a folder or s3://<bucket>[/<prefix>] is expected, the bucket named by 3 to 63 of a-z, 0-9, - and .',
    );
  return text;
}

export function parseHttpUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new Error('an address that begins with http:// or https:// is expected');
  return text;
}
