/** Comments, texts (`E'…'` with backslashes, `$tag$…$tag$`), quoted names; of the rest each character. */
const tokens =
  /--[^\n]*|\/\*[\s\S]*?\*\/|(?<!\w)[eE]'(?:[^'\\]|\\[\s\S]|'')*'|(?<!(?<!\w)[eE])'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$])(\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?\1|[^\s]/g;
const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/**
 * Why a text cannot be one SQL expression, as far as it can be told without a database: it is empty, a quote or bracket
 * stands alone, it ends in an operator, or it is a list or a statement. Whether its columns exist only the data can tell.
 */
export function findExpressionProblem(text: string): string | undefined {
  const awaited: string[] = [];
  const found = (text.match(tokens) ?? []).filter((token) => !token.startsWith('--') && !token.startsWith('/*'));
  if (found.length === 0) return 'it is empty';
  for (const token of found) {
    const closes = closing[token];
    if (closes !== undefined) awaited.push(closes);
    else if (token === ')' || token === ']' || token === '}') {
      if (awaited.pop() !== token) return `a "${token}" closes nothing`;
    } else if (token === "'" || token === '"') return `a ${token} is not closed`;
    else if (token === ';') return 'it is one expression, not a statement';
    else if (token === ',' && awaited.length === 0) return 'it is one expression, not a list';
  }
  if (awaited.length > 0) return `a "${awaited.at(-1)}" is missing`;
  const last = found.at(-1) ?? '';
  return '<>=+-*/%|&'.includes(last) ? `nothing stands behind its last "${last}"` : undefined;
}
