import { stringify } from 'yaml';

/** YAML for Python, which reads YAML 1.1: a plain `yes` or `2026-01-01T00:00:00Z` would be no text there, so texts are quoted. */
export const toPythonYaml = (value: object): string =>
  stringify(value, { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN', lineWidth: 0 });
