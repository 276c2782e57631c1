import type { NounOperations } from './noun-command.ts';

/** A thing that can be listed and shown: one entry here is all that its commands need. */
export interface Noun {
  /** Singular, as in `tidemill dataset list`. */
  readonly noun: string;
  readonly summary: string;
  readonly load: () => Promise<NounOperations>;
}

/** Loads the typed part (`nounOf`) with the contracts, which are too heavy for `--help`. */
export const nouns: readonly Noun[] = [
  {
    noun: 'dataset',
    summary: 'list and show datasets',
    load: async () => (await import('./nouns/dataset.ts')).dataset,
  },
  { noun: 'model', summary: 'list and show models', load: async () => (await import('./nouns/model.ts')).model },
  { noun: 'alert', summary: 'list and show alerts', load: async () => (await import('./nouns/alert.ts')).alert },
];
