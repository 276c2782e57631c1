/** `1 experiment`, `2 experiments`. */
export const plural = (count: number, what: string, many = `${what}s`): string =>
  `${count.toLocaleString('en-US')} ${count === 1 ? what : many}`;

/** `512 B`, `48.1 KB`, `3.0 MB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const at = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${at === 0 ? bytes : (bytes / 1000 ** at).toFixed(1)} ${units[at]}`;
}
