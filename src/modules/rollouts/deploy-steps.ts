import { formatReference, parseReference } from '#contracts/references';
import type { Unit } from '#platform/database';
import { type AppError, isAppError, reasonOf } from '#platform/errors';
import type { Consumer } from '#platform/events';
import type { RolloutsDeps } from './rollouts-deps.ts';
import { rolloutsErrors } from './rollouts-errors.ts';
import type { RolloutsService } from './rollouts-service.ts';
import { insertWaiter, takeWaiters } from './waiter-store.ts';

/** What a step of `use: deploy` asks for, as its event says. */
interface DeployRequest {
  readonly project: string;
  readonly deployment: string;
  /** `model:late-arrival@4` */
  readonly model: string;
  /** Set when the run's own version is meant: it must have been promoted to this. */
  readonly alias: string | undefined;
}

/** Steps of pipelines that make a deployment take a version: each is answered when its rollout ends. */
export function createDeploySteps(
  deps: Pick<RolloutsDeps, 'deployments' | 'registry' | 'pipelines'>,
  rollouts: Pick<RolloutsService, 'take'>,
): Consumer {
  const { deployments, registry, pipelines } = deps;

  async function fail(unit: Unit, token: string, { code, message }: Pick<AppError, 'code' | 'message'>): Promise<void> {
    await pipelines.completeStep(unit, token, { kind: 'failed', code, message });
  }

  /** What is to be rolled out, or why it is not. */
  async function resolve(unit: Unit, { project, deployment, model, alias }: DeployRequest) {
    const reference = parseReference(model);
    const at = reference?.at ?? '';
    const found = await registry.version(unit, project, reference?.name ?? '', /^\d+$/.test(at) ? Number(at) : at);
    if (reference === undefined || found === undefined) return rolloutsErrors.DEPLOY_VERSION_MISSING(model);
    const serves = parseReference((await deployments.get(unit, project, deployment)).spec.model)?.name ?? '';
    if (serves !== reference.name) return rolloutsErrors.DEPLOY_MODEL_DIFFERS(deployment, serves, reference.name);
    const promoted = alias === undefined ? undefined : await registry.alias(unit, project, reference.name, alias);
    if (alias !== undefined && promoted?.version !== found.version)
      return rolloutsErrors.DEPLOY_NOT_PROMOTED(model, alias);
    return { model: reference.name, version: found.version };
  }

  async function deploy(unit: Unit, request: DeployRequest, token: string): Promise<void> {
    const { project, deployment } = request;
    const wanted = await resolve(unit, request).catch((error: unknown) => {
      if (isAppError(error)) return error;
      throw error;
    });
    if (!('version' in wanted)) return await fail(unit, token, wanted);
    const { model, version } = wanted;
    const taken = await rollouts.take(unit, project, deployment, model, version);
    if (taken === 'served') {
      await pipelines.completeStep(unit, token, { kind: 'succeeded' });
      return;
    }
    if (taken === 'refused')
      return await fail(
        unit,
        token,
        rolloutsErrors.DEPLOY_REFUSED(formatReference('model', model, version), deployment),
      );
    await insertWaiter(unit, taken.id, token);
  }

  return {
    name: 'rollouts.deploy-steps',
    types: ['step.waiting', 'rollout.completed', 'rollout.aborted', 'rollout.superseded'],
    from: 'now',
    async handle(unit, event) {
      switch (event.type) {
        case 'step.waiting': {
          const { use, token } = event.data;
          if (use !== 'deploy') return;
          const { deployment, model, alias } = event.data.with;
          await deploy(
            unit,
            {
              project: event.project,
              deployment: String(deployment),
              model: String(model),
              alias: alias === undefined ? undefined : String(alias),
            },
            token,
          );
          return;
        }
        case 'rollout.completed':
          for (const token of await takeWaiters(unit, event.data.rolloutId))
            await pipelines.completeStep(unit, token, { kind: 'succeeded' });
          return;
        case 'rollout.aborted':
        case 'rollout.superseded': {
          const { rolloutId, model, version, deployment, reason } = event.data;
          const how = event.type === 'rollout.aborted' ? 'aborted' : 'superseded';
          const reference = formatReference('model', model, version);
          const error = rolloutsErrors.DEPLOY_ENDED_OTHERWISE(reference, deployment, how, reason);
          for (const token of await takeWaiters(unit, rolloutId)) await fail(unit, token, error);
          return;
        }
      }
    },
    async giveUp(unit, event, error) {
      if (event.type !== 'step.waiting' || event.data.use !== 'deploy') return;
      await fail(unit, event.data.token, { code: 'DEPLOY_REFUSED', message: reasonOf(error) });
    },
  };
}
