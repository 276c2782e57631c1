/** RFC 9113, 8.2 and 8.3: pseudo fields first, once each, of a request; names in lower case; none of a connection; no line ends. */
export function isWellFormed(fields: readonly string[]): boolean {
  let seen = 0;
  let isPseudo = true;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (/[\0\r\n]/.test(fields[index + 1] as string)) return false;
    if (name.charCodeAt(0) === 58) {
      const bit = pseudoBits[name];
      if (!isPseudo || bit === undefined || (seen & bit) !== 0) return false;
      if (name === ':path' && fields[index + 1] === '') return false;
      seen |= bit;
      continue;
    }
    isPseudo = false;
    if (!/^[!-9;-@[-~]+$/.test(name) || forbidden.has(name)) return false;
    if (name === 'te' && fields[index + 1] !== 'trailers') return false;
  }
  return (seen & requiredBits) === requiredBits;
}

const pseudoBits: Readonly<Record<string, number>> = { ':method': 1, ':scheme': 2, ':path': 4, ':authority': 8 };
const requiredBits = 7;
const forbidden: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
