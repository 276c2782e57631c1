import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { SpecTensor } from '#contracts/deployment-spec';
import { formatReference } from '#contracts/references';
import { readServable } from '#contracts/servable-version';
import type { ModelVersion } from '#modules/registry';
import type { Unit } from '#platform/database';
import { lazily } from '#platform/lazily';
import type { Revision } from './deployment-types.ts';
import type { DeploymentsDeps } from './deployments-deps.ts';
import { deploymentsErrors } from './deployments-errors.ts';
import { findRevisionOf, insertRevision } from './revision-store.ts';

const signatureShape = lazily(() =>
  Compile(Type.Object({ inputs: Type.Array(SpecTensor), outputs: Type.Array(SpecTensor) })),
);
const predictsShape = lazily(() => Compile(Type.Object({ score: Type.String() })));

export interface NewRevision {
  readonly project: string;
  readonly deployment: string;
  readonly model: string;
  readonly version: number;
}

/**
 * The revision of a model version at a deployment, made when it is not there yet: its files held, its way of being
 * counted known to the prediction log, and the edges model version → revision → deployment written.
 */
export async function ensureRevision(
  unit: Unit,
  deps: Pick<DeploymentsDeps, 'registry' | 'artifacts' | 'lineage' | 'predictions'>,
  wanted: NewRevision & { readonly replay: boolean },
): Promise<string> {
  const known = await findRevisionOf(unit, wanted);
  if (known !== undefined) return known.id;
  const { project, deployment, model } = wanted;
  const version = await deps.registry.version(unit, project, model, wanted.version);
  const servable = version === undefined ? 'there is no such version' : readServable(version);
  if (typeof servable === 'string') throw deploymentsErrors.MODEL_VERSION_NOT_SERVABLE(model, wanted.version, servable);
  const { runtime, files } = servable;
  const revision: Revision = {
    id: unit.newId(),
    project,
    deployment,
    model,
    version: wanted.version,
    runtime,
    signature: signatureOf(version?.signature),
    score: predictsShape().Check(version?.predicts) ? version.predicts.score : undefined,
    createdMs: unit.nowMs,
    readyMs: undefined,
    error: undefined,
  };
  await insertRevision(unit, revision, files);
  const reference = formatReference('revision', revision.id);
  for (const { path, sha256, sizeBytes } of files)
    await deps.artifacts.retain(unit, { project, sha256, sizeBytes, owner: reference, name: path });
  await deps.predictions.registerRevision(unit, {
    project,
    endpoint: deployment,
    replay: wanted.replay,
    revision: revision.id,
    model,
    version: wanted.version,
    score: revision.score,
    signature: version?.signature,
  });
  await deps.lineage.record(unit, project, [
    { from: formatReference('model', model, wanted.version), to: reference, kind: 'deployed' },
    { from: reference, to: formatReference('deployment', deployment), kind: 'served' },
  ]);
  return revision.id;
}

export const isServable = (version: ModelVersion): boolean => typeof readServable(version) !== 'string';

/** Undefined when it is not in our form: then what the model itself declares is taken. */
function signatureOf(signature: ModelVersion['signature']): Revision['signature'] {
  if (!signatureShape().Check(signature)) return undefined;
  const tensors = (list: readonly (typeof signature.inputs)[number][]) =>
    list.map(({ name, datatype, shape, nullable, optional, columns }) => ({
      name,
      datatype,
      shape,
      ...(nullable !== undefined && { nullable }),
      ...(optional !== undefined && { optional }),
      ...(columns !== undefined && { columns }),
    }));
  return { inputs: tensors(signature.inputs), outputs: tensors(signature.outputs) };
}
