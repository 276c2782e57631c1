/** Why files at an address are left for which `isOddFolder` holds. */
export const whyOddFolder = 'that is no folder inside of the store of artifacts';

/** The path behind `mlflow-artifacts:`, which may name its server; undefined for an address of another kind. */
export function proxiedPathOf(uri: string): string | undefined {
  const path = /^mlflow-artifacts:(?:\/\/[^/]+)?(.*)$/s.exec(uri)?.[1];
  const parts = path?.split('/').filter((part) => part !== '' && part !== '.');
  return parts?.join('/');
}

/** True for a path that no store takes: it would leave its folder, or is none on another system. */
export const isOddPath = (path: string): boolean =>
  path.startsWith('/') || path.length > 4096 || /[\\\0]/.test(path) || path.split('/').includes('..');

/** True for a folder that a server refuses, which decodes what was percent-encoded; the store as a whole is nobody's folder. */
export function isOddFolder(folder: string): boolean {
  let text = folder;
  for (let depth = 0; depth < 4; depth += 1) {
    if (text === '' || isOddPath(text)) return true;
    const decoded = decodeOr(text);
    if (decoded === text) return false;
    text = decoded;
  }
  return true; // encoded so often only to hide something
}

function decodeOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a bare % is an ordinary character of a name
  }
}
