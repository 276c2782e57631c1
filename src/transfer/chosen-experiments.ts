import type { Source, SourceExperiment } from './source.ts';
import { TransferError } from './transfer-error.ts';

/** The experiments of these names, which must be there; all of them without names. */
export async function chosenExperiments(
  source: Source,
  names: readonly string[] | undefined,
): Promise<readonly SourceExperiment[]> {
  const all = await source.experiments();
  if (names === undefined || names.length === 0) return all;
  const missing = names.find((name) => !all.some(({ record }) => record.name === name));
  if (missing !== undefined)
    throw new TransferError(
      'EXPERIMENT_NOT_FOUND',
      'not_found',
      `there is no experiment "${missing}" in ${source.label}; there are: ${all.map(({ record }) => record.name).join(', ')}`,
    );
  return all.filter(({ record }) => names.includes(record.name));
}
