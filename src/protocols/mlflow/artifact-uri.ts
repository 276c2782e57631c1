import { decodeUrlText, trimSlashes } from '#platform/url-text';

/** The path inside the project's proxied artifacts that a URI names; undefined when its bytes are elsewhere. */
export function toProxiedPath(uri: string): string | undefined {
  const rest = /^mlflow-artifacts:(?:\/\/[^/]*)?\/+(.*)$/s.exec(uri)?.[1];
  return rest === undefined ? undefined : trimSlashes(rest);
}

/**
 * True for a path that would leave its folder, however often it was percent-encoded on the way: `..`, an absolute path,
 * a backslash or a NUL.
 */
export function leavesFolder(path: string): boolean {
  let text = path;
  for (let depth = 0; depth < 4; depth += 1) {
    if (text.startsWith('/') || /[\\\0]/.test(text) || text.split('/').includes('..')) return true;
    const decoded = decodeUrlText(text); // a bare % is an ordinary character of a name
    if (decoded === undefined || decoded === text) return false;
    text = decoded;
  }
  return true; // encoded so often only to hide something
}
