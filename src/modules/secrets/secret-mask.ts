/** Shorter values are not masked: they would blot out half of every log. */
const shortestMasked = 4;
const shown = '[masked]';

export interface SecretMask {
  /** Hides a value from now on, in each form in which programs print it. */
  add(value: string): void;
  readonly mask: (text: string) => string;
  readonly blotter: SecretBlotter;
}

/** Masks pieces of a file that is read bit by bit, also where a value lies across the border of two pieces. */
export interface SecretBlotter {
  /** How many bytes before a piece must be known to see a value that reaches into it. */
  reachBytes(): number;
  /**
   * `bytes` from `from` on, values masked, up to `end`; the bytes before `from` are only looked at. What may be the
   * beginning of a value is left for the next piece, unless this is the last one.
   */
  blot(bytes: Buffer, from: number, isLast: boolean): { readonly shown: Buffer; readonly end: number };
}

/** Blots known values out of text. Values stay known until the process ends, for old ones may still be printed. */
export function createSecretMask(): SecretMask {
  const known = new Set<string>();
  let longestFirst: readonly string[] = [];
  /** The same as bytes, one character each: places in it are places in the file. */
  let asBytes: readonly string[] = [];

  return {
    add(value) {
      if (value.length < shortestMasked || known.has(value)) return;
      for (const form of formsOf(value)) known.add(form);
      // A value that contains another must go first.
      longestFirst = [...known].toSorted((a, b) => b.length - a.length);
      asBytes = longestFirst.map((form) => Buffer.from(form).toString('latin1'));
    },
    mask(text) {
      let masked = text;
      for (const value of longestFirst) if (masked.includes(value)) masked = masked.replaceAll(value, shown);
      return masked;
    },
    blotter: {
      reachBytes: () => Math.max(0, ...asBytes.map(({ length }) => length)),
      blot(bytes, from, isLast) {
        if (asBytes.length === 0) return { shown: bytes.subarray(from), end: bytes.length };
        const text = bytes.toString('latin1');
        const spans = findSpans(text, asBytes);
        let end = isLast ? text.length : text.length - beginningAtEnd(text, asBytes);
        end = Math.max(from, spans.find((span) => span.from < end && span.to > end)?.to ?? end);
        let shownText = '';
        let at = from;
        for (const span of spans) {
          if (span.to <= from || span.from >= end) continue;
          shownText += text.slice(at, Math.max(at, span.from)) + shown;
          at = span.to;
        }
        return { shown: Buffer.from(shownText + text.slice(at, end), 'latin1'), end };
      },
    },
  };
}

/** Where values lie, in order; those that overlap are one. */
function findSpans(text: string, forms: readonly string[]): readonly { readonly from: number; readonly to: number }[] {
  const found: { from: number; to: number }[] = [];
  for (const form of forms)
    for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1))
      found.push({ from: at, to: at + form.length });
  const merged: { from: number; to: number }[] = [];
  for (const span of found.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && span.from < last.to) last.to = Math.max(last.to, span.to);
    else merged.push(span);
  }
  return merged;
}

/** How many characters at the end may be the beginning of a value. */
function beginningAtEnd(text: string, forms: readonly string[]): number {
  let longest = 0;
  for (const form of forms) {
    const first = form.charAt(0);
    const earliest = Math.max(0, text.length - form.length + 1);
    for (
      let at = text.indexOf(first, earliest);
      at !== -1 && text.length - at > longest;
      at = text.indexOf(first, at + 1)
    )
      if (form.startsWith(text.slice(at))) longest = text.length - at;
  }
  return longest;
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
