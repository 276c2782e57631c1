/** A part of a URL as it was meant; undefined for a text with a broken escape, which stands for nothing. */
export function decodeUrlText(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * The text without the slashes at its end. A regular expression for them begins anew at each slash of a row that does not
 * end the text: a long row costs its square.
 */
export function trimSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === '/') end -= 1;
  return text.slice(0, end);
}
