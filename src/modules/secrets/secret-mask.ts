/** Shorter values are not masked: they would blot out half of every log. */
const shortestMasked = 4;
const shown = '[masked]';

export interface SecretMask {
  /** Hides a value from now on, in each form in which programs print it. */
  add(value: string): void;
  readonly mask: (text: string) => string;
}

/** Blots known values out of text. Values stay known until the process ends, for old ones may still be printed. */
export function createSecretMask(): SecretMask {
  const known = new Set<string>();
  let longestFirst: readonly string[] = [];

  return {
    add(value) {
      if (value.length < shortestMasked || known.has(value)) return;
      for (const form of formsOf(value)) known.add(form);
      // A value that contains another must go first.
      longestFirst = [...known].toSorted((a, b) => b.length - a.length);
    },
    mask(text) {
      let masked = text;
      for (const value of longestFirst) if (masked.includes(value)) masked = masked.replaceAll(value, shown);
      return masked;
    },
  };
}

/** As it is, in a URL, in JSON, in Base64; of several lines also each long one, since logs are read by lines. */
function formsOf(value: string): readonly string[] {
  const lines = value.split(/\r?\n/).filter((line) => line.trim().length >= 8);
  return [
    value,
    encodeURIComponent(value),
    JSON.stringify(value).slice(1, -1),
    Buffer.from(value).toString('base64'),
    Buffer.from(value).toString('base64').replace(/=+$/, ''), // many print it without its padding
    Buffer.from(value).toString('base64url'),
    ...(value.includes('\n') ? lines : []),
  ];
}
