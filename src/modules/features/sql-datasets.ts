/**
 * The datasets that a query reads: names after `from`, `join` or a comma of a `from` list that are not names of its own
 * common table expressions. Comments, strings and quoted text that follow other words are passed over. It is a reading of
 * names, not a parser: what it takes for a dataset and is none is refused with its name.
 */
export function datasetsInSql(sql: string): readonly string[] {
  const tokens = tokenize(sql);
  const own = new Set<string>();
  const found = new Set<string>();
  for (const [index, token] of tokens.entries()) {
    const word = token.toLowerCase();
    if (word === 'as' && tokens[index + 1] === '(') {
      const name = tokens[index - 1] === ')' ? tokens[openingOf(tokens, index - 1) - 1] : tokens[index - 1];
      if (name !== undefined) own.add(nameOf(name).toLowerCase());
    }
    if (word !== 'from' && word !== 'join') continue;
    if (word === 'from' && isInsideCall(tokens, index)) continue; // extract(hour from t), trim(both from t)
    for (let at = index + 1; ; at += 1) {
      const name = tokens[at];
      if (name === undefined || name === '(' || !isName(name)) break;
      if (tokens[at + 1] === '(')
        at = closingOf(tokens, at + 1); // a table function
      else found.add(nameOf(name));
      at += 1;
      if (tokens[at]?.toLowerCase() === 'as') at += 1;
      if (
        tokens[at] !== undefined &&
        tokens[at] !== ',' &&
        isName(tokens[at] ?? '') &&
        !clauses.has(tokens[at]?.toLowerCase() ?? '')
      )
        at += 1;
      if (word !== 'from' || tokens[at] !== ',') break;
    }
  }
  return [...found].filter((name) => !own.has(name.toLowerCase())).toSorted();
}

const clauses = new Set(
  'where group order having limit window qualify union except intersect join left right full inner cross asof natural semi anti positional on using select sample tablesample'.split(
    ' ',
  ),
);

function tokenize(sql: string): readonly string[] {
  const pattern = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z_][A-Za-z0-9_.]*|\d[\d.eE]*|\S/g;
  return (sql.match(pattern) ?? []).filter((token) => !token.startsWith('--') && !token.startsWith('/*'));
}

const isName = (token: string): boolean => /^(?:"(?:[^"]|"")*"|[A-Za-z_][A-Za-z0-9_.]*)$/.test(token);
const nameOf = (token: string): string => (token.startsWith('"') ? token.slice(1, -1).replaceAll('""', '"') : token);

/** Whether the nearest open parenthesis belongs to a function and holds no query. */
function isInsideCall(tokens: readonly string[], at: number): boolean {
  let depth = 0;
  for (let before = at - 1; before >= 0; before -= 1) {
    if (tokens[before] === ')') depth += 1;
    if (tokens[before] !== '(') continue;
    if (depth === 0)
      return tokens[before + 1]?.toLowerCase() !== 'select' && tokens[before + 1]?.toLowerCase() !== 'with';
    depth -= 1;
  }
  return false;
}

function closingOf(tokens: readonly string[], opening: number): number {
  let depth = 0;
  for (let at = opening; at < tokens.length; at += 1) {
    if (tokens[at] === '(') depth += 1;
    if (tokens[at] === ')') depth -= 1;
    if (depth === 0) return at;
  }
  return tokens.length;
}

function openingOf(tokens: readonly string[], closing: number): number {
  let depth = 0;
  for (let at = closing; at >= 0; at -= 1) {
    if (tokens[at] === ')') depth += 1;
    if (tokens[at] === '(') depth -= 1;
    if (depth === 0) return at;
  }
  return 0;
}
