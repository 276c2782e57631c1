import type { TestOverlap } from '#contracts/evaluation';

/** A sentence for each model whose numbers the gate reads and that was trained on the time of test rows. */
export function overlapWarnings(overlap: TestOverlap | undefined, readsChampion: boolean): readonly string[] {
  const models = readsChampion ? (['candidate', 'champion'] as const) : (['candidate'] as const);
  return models.flatMap((model) => {
    const cut = overlap?.[model];
    if (cut === undefined || cut.rows === 0) return [];
    const { rows, share, trainedUntil } = cut;
    const percent = Number((100 * share).toPrecision(3));
    return `warning: ${rows} test rows (${percent} %) lie at or before the last row that the ${model} was trained on, ${trainedUntil.at}: the comparison flatters the ${model}`;
  });
}
