import type { IngestionView } from '#contracts/datasets';

const shownCharacters = 160;

/** Why a landing made no version: the error, or each check that does not hold with the first row that breaks it. */
export function whyNotLanded({ error, checks }: Pick<IngestionView, 'error' | 'checks'>): string {
  if (error !== undefined) return error.message;
  return checks
    .filter(({ passed }) => !passed)
    .map(({ check, reason, failing, rows }) => `${check}: ${reason ?? rowsInWords(failing, rows[0])}`)
    .join('; ');
}

function rowsInWords(failing: number, first: unknown): string {
  const count = `${failing} ${failing === 1 ? 'row' : 'rows'}`;
  if (typeof first !== 'object' || first === null) return count;
  const { file, row, ...values } = first as Readonly<Record<string, unknown>>;
  const text = JSON.stringify(values);
  const shown = text.length > shownCharacters ? `${text.slice(0, shownCharacters - 1)}…` : text;
  return `${count}, the first in ${String(file)}, row ${String(row)} (0 is the first): ${shown}`;
}
