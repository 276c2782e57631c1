import { readModelSignature } from '#contracts/model-signature';
import { describeNames, findNamed, namesIn } from '#contracts/redaction';
import { parseReference } from '#contracts/references';
import type { ModelSignature } from '#contracts/tensor';
import type { RegistryApi } from '#modules/registry';
import type { Reader } from '#platform/database';
import { nearestName } from '#platform/errors';
import type { Deployment } from './deployment-types.ts';
import { deploymentsErrors } from './deployments-errors.ts';

interface KnownModel {
  readonly model: string;
  readonly signature: ModelSignature;
}

/**
 * A rule of `capture.redact` that no version here has must not be taken for one that works: DEPLOYMENT_REDACTS_NOTHING.
 * Where the signature of one is not known (there is no version yet, or what MLflow logged says it only when it is loaded) the
 * data plane finds out, and keeps everything out of its records until then.
 */
export async function checkRedaction(
  reader: Reader,
  registry: Pick<RegistryApi, 'version'>,
  { project, name, spec }: Deployment,
): Promise<void> {
  const rules = spec.capture?.redact ?? [];
  if (rules.length === 0) return;
  const known: KnownModel[] = [];
  for (const shadow of [spec.model, ...(spec.shadows ?? [])]) {
    const reference = parseReference(typeof shadow === 'string' ? shadow : shadow.model);
    const at =
      reference?.at === undefined ? undefined : /^\d+$/.test(reference.at) ? Number(reference.at) : reference.at;
    if (reference === undefined || at === undefined) return;
    const version = await registry.version(reader, project, reference.name, at);
    const signature = readModelSignature(version?.signature);
    if (version === undefined || signature === undefined || isPartial(signature)) return;
    known.push({ model: `model:${reference.name}@${version.version}`, signature });
  }
  const rule = rules.find((one) => known.every(({ signature }) => findNamed([one], signature).unmatched.length > 0));
  if (rule === undefined) return;
  const [first] = known;
  throw deploymentsErrors.DEPLOYMENT_REDACTS_NOTHING(
    name,
    rule,
    known.map(({ model, signature }) => `${model} has ${describeNames(signature)}`).join('; '),
    nearestName(rule, first === undefined ? [] : namesIn(first.signature)),
  );
}

/** A side that is empty says nothing: it is the model that does, once it is loaded. */
const isPartial = ({ inputs, outputs }: ModelSignature): boolean => inputs.length === 0 || outputs.length === 0;
