import { durationPattern } from '#contracts/duration';
import { namePattern } from '#contracts/references';

const knownPatterns: Readonly<Record<string, string>> = {
  [durationPattern]: 'a duration, such as 30d or 12h',
  [namePattern]:
    'a name of letters, digits, dots, dashes and underscores that begins with a letter or digit: flights-2',
  '^https?://': 'an address of http:// or https://, such as https://example.org/hook',
};

/** What a text is that a pattern takes, for people. */
export const patternWords = (pattern: string): string => knownPatterns[pattern] ?? `a text like ${pattern}`;

export const instantWords = 'a point in time, such as 2027-01-31T12:00:00Z';

/** `allProjects` is the option `--all-projects`. */
export const flagOf = (name: string): string =>
  `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** What the server says of a field of a request, with the name that the command line has for it. */
export function inCommandWords(message: string): string {
  const [, part, name = '', rest = ''] = /^(body|query|path)\/(\w+)(?:\/\d+)? (.+)$/s.exec(message) ?? [];
  if (part === undefined) return message;
  const [, pattern] = /^must match pattern "(.+)"$/s.exec(rest) ?? [];
  const wanted =
    pattern !== undefined
      ? `must be ${patternWords(pattern)}`
      : rest.replace('must match format "date-time"', `must be ${instantWords}`);
  return `${part === 'path' ? `<${name}>` : flagOf(name)} ${wanted}`;
}
