/** Upper bounds of the histograms of answers by their time: each counts what is not above it and above the one before. */
export const latencyBoundsUs = [
  100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
  10_000_000,
] as const;
