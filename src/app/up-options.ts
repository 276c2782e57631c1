import { type Setting, settings } from '#platform/config';

/** The options of `up`: one for each setting, so that what an error or the documents name can be given. */
export const upOptions = Object.values(settings).map((setting: Setting<unknown>) => ({
  flag: setting.flag,
  ...(setting.parse.choices !== undefined && { choices: setting.parse.choices }),
  description: `${setting.reason} (default: ${defaultOf(setting)})`,
}));

function defaultOf({ default: value, defaultText, unit }: Setting<unknown>): string {
  if (defaultText !== undefined) return defaultText;
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return 'none';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return unit === undefined ? text : `${text} ${unit}`;
}
