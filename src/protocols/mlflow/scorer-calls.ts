import type { ScorerSampling, ScorerVersion } from '#modules/evaluation';
import { type ExactJson, isJsonObject } from '#platform/exact-json';
import { readJsonText } from './json-texts.ts';
import type { CallInput, MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, sendMlflowError } from './mlflow-errors.ts';
import type { WireFields } from './wire-fields.ts';
import { list } from './wire-views.ts';

const prefix = '/3.0/mlflow/scorers';

/** Where a serialised judge says which model it asks. */
const judgeKeys = [
  'instructions_judge_pydantic_data',
  'builtin_scorer_pydantic_data',
  'third_party_scorer_data',
] as const;

function modelOf(scorer: ExactJson | undefined): string | undefined {
  if (!isJsonObject(scorer)) return undefined;
  for (const key of judgeKeys) {
    const data = scorer[key];
    if (isJsonObject(data) && typeof data['model'] === 'string') return data['model'];
  }
  const memory = scorer['memory_augmented_judge_data'];
  return isJsonObject(memory) ? modelOf(memory['base_judge']) : undefined;
}

/** Source of Python that a client would run when it reads the scorer back; also inside an ensemble of scorers. */
function holdsCode(value: ExactJson): boolean {
  if (Array.isArray(value)) return value.some(holdsCode);
  if (!isJsonObject(value)) return false;
  return (value['call_source'] ?? null) !== null || Object.values(value).some(holdsCode);
}

function readScorer(fields: WireFields): { readonly serialized: string; readonly model: string | undefined } {
  const serialized = fields.requiredName('serialized_scorer');
  const value = readJsonText(fields, 'serialized_scorer');
  if (!isJsonObject(value)) throw invalidParameter('serialized_scorer must be a JSON object');
  if (holdsCode(value))
    throw invalidParameter(
      'Custom scorer registration (using @scorer decorator) is disabled: whoever read such a scorer back would run the code in it. Keep its code in a repository and import it, or register a built-in scorer or one of make_judge().',
    );
  return { serialized, model: modelOf(value) };
}

const toWireScorer = (scorer: ScorerVersion) => ({
  experiment_id: Number(scorer.experimentId),
  scorer_name: scorer.name,
  scorer_version: scorer.version,
  serialized_scorer: scorer.serialized,
  creation_time: scorer.createdMs,
  scorer_id: scorer.scorerId,
});

const toWireSampling = (sampling: ScorerSampling) => ({
  online_scoring_config_id: sampling.configId,
  scorer_id: sampling.scorerId,
  sample_rate: sampling.sampleRate,
  experiment_id: sampling.experimentId,
  ...(sampling.filter !== undefined && { filter_string: sampling.filter }),
});

const nameOf = ({ fields, project }: CallInput) => ({
  project,
  experimentId: fields.requiredName('experiment_id'),
  name: fields.requiredText('name'),
});

/** Scorers: kept and handed out. None is ever run here, so that none can be set to look at traffic. */
export function scorerCalls({ database, scorers }: MlflowDeps): readonly MlflowCall[] {
  return [
    {
      method: 'POST',
      path: `${prefix}/register`,
      permission: 'write',
      handle: async (input) => {
        const name = nameOf(input);
        const { serialized, model } = readScorer(input.fields);
        // MLflow looks the endpoint up in its gateway; there is none here
        const endpoint = /^gateway:\/+(.*)$/.exec(model ?? '')?.[1];
        if (endpoint !== undefined)
          return sendMlflowError(
            input.reply,
            'RESOURCE_DOES_NOT_EXIST',
            `GatewayEndpoint not found (name='${endpoint}'): this server has no gateway.`,
          );
        const scorer = await database.write(input.context.write, (unit) =>
          scorers.register(unit, { ...name, serialized }),
        );
        return {
          version: scorer.version,
          scorer_id: scorer.scorerId,
          experiment_id: scorer.experimentId,
          name: scorer.name,
          serialized_scorer: scorer.serialized,
          creation_time: scorer.createdMs,
        };
      },
    },
    {
      method: 'GET',
      path: `${prefix}/list`,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const one = fields.text('experiment_id') || undefined;
        const several = fields.has('experiment_ids') ? fields.texts('experiment_ids') : undefined;
        if (one !== undefined && several !== undefined)
          throw invalidParameter("Cannot specify both 'experiment_id' and 'experiment_ids'.");
        const found =
          one === undefined
            ? await scorers.ofExperiments(database.read, project, several)
            : await scorers.ofExperiment(database.read, project, one);
        return list('scorers', found.map(toWireScorer));
      },
    },
    {
      method: 'GET',
      path: `${prefix}/versions`,
      permission: 'read',
      handle: async (input) =>
        list('scorers', (await scorers.versions(database.read, nameOf(input))).map(toWireScorer)),
    },
    {
      method: 'GET',
      path: `${prefix}/get`,
      permission: 'read',
      handle: async (input) => ({
        scorer: toWireScorer(await scorers.version(database.read, nameOf(input), input.fields.integer('version'))),
      }),
    },
    {
      method: 'DELETE',
      path: `${prefix}/delete`,
      permission: 'write',
      handle: async (input) => {
        const [name, version] = [nameOf(input), input.fields.integer('version')];
        await database.write(input.context.write, (unit) => scorers.remove(unit, name, version));
        return {};
      },
    },
    {
      method: 'GET',
      path: `${prefix}/online-configs`,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const ids = fields.texts('scorer_ids');
        if (ids.length === 0) throw fields.missing('scorer_ids');
        return { configs: (await scorers.sampling(database.read, project, ids)).map(toWireSampling) };
      },
    },
    {
      method: 'PUT',
      path: `${prefix}/online-config`,
      permission: 'write',
      handle: async (input) => {
        const name = nameOf(input);
        const sampleRate = input.fields.requiredDouble('sample_rate');
        const filter = input.fields.text('filter_string') || undefined;
        const config = await database.write(input.context.write, async (unit) => {
          await scorers.version(unit, name, undefined);
          if (sampleRate > 0)
            throw invalidParameter(
              `Scorer '${name.name}' does not use a gateway model. Automatic evaluation is only supported for scorers that use gateway models; this server has none, and runs no scorer.`,
            );
          return scorers.setSampling(unit, { ...name, sampleRate, filter });
        });
        return { config: toWireSampling(config) };
      },
    },
  ];
}
