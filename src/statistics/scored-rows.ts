import { createRandom } from './random.ts';

/** Made-up labelled rows for tests: labels that follow `first`, a noisier `second`, both in hundredths so that scores tie. */
export function scoredRows(n: number, seed: number) {
  const random = createRandom(seed);
  const labels: number[] = [];
  const first: number[] = [];
  const second: number[] = [];
  for (let row = 0; row < n; row += 1) {
    const score = Math.floor(random.nextFloat() * 100) / 100;
    first.push(score);
    labels.push(random.nextFloat() < 0.15 + 0.6 * score ? 1 : 0);
    second.push(Math.floor((0.6 * score + 0.4 * random.nextFloat()) * 100) / 100);
  }
  return { labels, first, second };
}
