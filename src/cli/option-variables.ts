import { type Command, InvalidArgumentError } from 'commander';
import { CliError } from './context.ts';

/**
 * Sets the options that were not given from the variables of the environment that stand for them.
 * @param variables by the long names of the options
 */
export function readVariables(
  command: Command,
  variables: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string | undefined>>,
): void {
  for (const option of command.options) {
    const variable = variables[option.name()];
    const text = variable === undefined ? undefined : environment[variable];
    const name = option.attributeName();
    if (variable === undefined || text === undefined || command.getOptionValueSource(name) === 'cli') continue;
    try {
      const value: unknown = option.parseArg === undefined ? text : option.parseArg<unknown>(text, undefined);
      command.setOptionValueWithSource(name, value, 'env');
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      throw new CliError('OPTION_INVALID', 2, `${variable} is "${text}". ${error.message}`);
    }
  }
}
