/** A glob over paths with `/`: `*` within a part, `**` over parts, `?` one character. Anchored at both ends. */
export function globToRegExp(glob: string): RegExp {
  const source = glob
    .replace(/^\.\//, '')
    .replaceAll(/[.+^${}()|[\]\\]/g, (character) => `\\${character}`)
    .replaceAll(/\*\*\/|\*\*|\*|\?/g, (wild) => wildcards[wild] ?? wild);
  return new RegExp(`^${source}$`);
}

const wildcards: Readonly<Record<string, string>> = { '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' };
