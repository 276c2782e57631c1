/**
 * Turns the command of a step into what is executed. Placeholders (`${inputs.train}`) become references to shell
 * variables in the right quotes, so that a value is always one argument, or one part of one, and is never parsed again.
 */
export interface PreparedCommand {
  readonly argv: readonly string[];
  /** Variables that carry the values of placeholders. */
  readonly environment: Readonly<Record<string, string>>;
}

export type Lookup = (expression: string) => string | undefined;

const placeholder = /\$\{((?:inputs|outputs|params|each)\.[A-Za-z0-9_.-]+)\}/y;

/** The placeholders of a command, each once. */
export function placeholdersOf(command: string | readonly string[]): readonly string[] {
  const texts = typeof command === 'string' ? [command] : command;
  const anywhere = new RegExp(placeholder.source, 'g');
  return [...new Set(texts.flatMap((text) => [...text.matchAll(anywhere)].map((match) => match[1] ?? '')))];
}

/** @param lookup value of a placeholder; undefined leaves its text as it is. */
export function prepareCommand(command: string | readonly string[], lookup: Lookup): PreparedCommand {
  if (typeof command !== 'string') {
    const fill = (text: string): string =>
      text.replaceAll(new RegExp(placeholder.source, 'g'), (whole, expression: string) => lookup(expression) ?? whole);
    return { argv: command.map(fill), environment: {} };
  }
  const environment: Record<string, string> = {};
  const variables = new Map<string, string>();
  /** Told apart by a number, since the names of two placeholders may differ in case or signs alone. */
  const variableOf = (expression: string): string => {
    const known = variables.get(expression);
    const name = known ?? `TIDEMILL_ARG_${variables.size}_${expression.replaceAll(/[^A-Za-z0-9]/g, '_').toUpperCase()}`;
    variables.set(expression, name);
    return name;
  };
  let script = '';
  let quote: '"' | "'" | undefined;
  for (let at = 0; at < command.length; ) {
    placeholder.lastIndex = at;
    const expression = placeholder.exec(command)?.[1];
    const value = expression === undefined ? undefined : lookup(expression);
    if (expression !== undefined && value !== undefined) {
      const variable = variableOf(expression);
      environment[variable] = value;
      const bare = `\${${variable}}`;
      script += quote === '"' ? bare : quote === "'" ? `'"${bare}"'` : `"${bare}"`;
      at = placeholder.lastIndex === 0 ? at + expression.length + 3 : placeholder.lastIndex;
      continue;
    }
    const character = command[at] ?? '';
    script += character;
    if (character === '\\' && quote !== "'") {
      script += command[at + 1] ?? '';
      at += 2;
      continue;
    }
    if (quote === undefined && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = undefined;
    at += 1;
  }
  return { argv: ['sh', '-c', script], environment };
}
