/** Pictures made of pixels: they hold nothing that a browser could run. */
const pictures: Readonly<Record<string, string>> = { png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg' };
const texts = new Set(['txt', 'log', 'md', 'csv', 'tsv', 'json', 'yaml', 'yml', 'toml', 'ini', 'cfg', 'conf']);

export const isPicture = (path: string): boolean => Object.hasOwn(pictures, extensionOf(path));

/**
 * As what a browser may show a file in its own window, by its name: pictures and plain text. Undefined for all else: HTML and
 * SVG that somebody logged must not run as a page of this server.
 */
export function viewTypeOf(path: string): string | undefined {
  if (isPicture(path)) return pictures[extensionOf(path)];
  return texts.has(extensionOf(path)) || /(?:^|\/)MLmodel$/.test(path) ? 'text/plain; charset=utf-8' : undefined;
}

const extensionOf = (path: string): string => /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
