import type { RunRecord } from '#contracts/transfer';
import { type Json, text } from './json.ts';

type Dataset = RunRecord['datasets'][number];

/** A data set as MLflow describes it, over its API and in a file store; tags of the input lie elsewhere in each. */
export const toDataset = (described: Json, tags: Dataset['tags']): Dataset => ({
  name: text(described['name']),
  digest: text(described['digest']),
  sourceType: text(described['source_type']),
  source: text(described['source']),
  ...(typeof described['schema'] === 'string' && { schema: described['schema'] }),
  ...(typeof described['profile'] === 'string' && { profile: described['profile'] }),
  tags,
});
