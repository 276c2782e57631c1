/** A part of a URL as it was meant; undefined for a text with a broken escape, which stands for nothing. */
export function decodeUrlText(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
