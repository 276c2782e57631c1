import { referenceKinds } from '#contracts/references';
import { defineErrors } from '#platform/errors';

export const lineageErrors = defineErrors({
  LINEAGE_REFERENCE_INVALID: {
    kind: 'invalid',
    message: (text: string) =>
      `"${text.slice(0, 200)}" is no reference: write kind:name or kind:name@version, with one of the kinds ${referenceKinds.join(', ')}`,
  },
});
