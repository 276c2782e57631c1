import { beforeAll, expect, test } from 'vitest';
import { startControlPlane } from './support/control-plane.ts';
import { ensurePython, exampleRequirements, pythonSetUpMs, runMlflowScript } from './support/mlflow-script.ts';

const scriptMs = 180_000;

let python: string;
beforeAll(async () => {
  ({ pythonPath: python } = await ensurePython(exampleRequirements));
}, pythonSetUpMs);

/** What a script prints last, as JSON; it runs against the very server that `up` starts. */
async function runScript(script: string): Promise<Readonly<Record<string, unknown>>> {
  const { url } = await startControlPlane({ webhookHosts: '127.0.0.1' });
  return runMlflowScript(python, script, { trackingUri: url, timeoutMs: scriptMs });
}

test(
  "prompts, evaluation data sets, scorers and webhooks work through MLflow's own client",
  async () => {
    const missing = 'RESOURCE_DOES_NOT_EXIST';
    const invalid = 'INVALID_PARAMETER_VALUE';
    const { prompts, datasets, scorers, webhooks } = await runScript('mlflow_genai.py');
    expect(prompts).toEqual({
      numbers: [1, 2],
      format: 'Hello Ann!',
      message: 'the first',
      'response format': ['score', 'text'],
      'model config': { model_name: 'small', temperature: 0.1 },
      'changed config': { model_name: 'large' },
      chat: [
        { role: 'system', content: 'You are kind.' },
        { role: 'user', content: 'why?' },
      ],
      'by alias': [1, 1, 2, 2],
      variables: ['name', 'text'],
      tags: { stage: 'draft', team: 'ml' },
      'version tags': { reviewed: 'yes', team: 'ops' },
      linked: [['greeting', '1']],
      found: {
        models: ['plain'],
        prompts: ['chat', 'greeting'],
        'by name': ['chat'],
        'by tag': ['greeting'],
        versions: [2, 1],
        'model versions': 0,
      },
      refused: {
        'prompt over model': [invalid, expect.stringContaining("Model 'plain' exists with the same name")],
        'model over prompt': [
          'RESOURCE_ALREADY_EXISTS',
          expect.stringContaining(
            "Tried to create a registered model with name 'chat', but the name is already taken by a prompt.",
          ),
        ],
        'raw prompt over model': [invalid, expect.anything()], // by the client itself
        'prompt as model': missing,
        'bad name': invalid,
        'missing version': missing,
        'reserved alias': invalid,
      },
      missing: true,
      left: [2],
      deleted: ['greeting'],
    });
    expect(datasets).toEqual({
      id: 'd-',
      records: 1502,
      inputs: [
        { question: '1 + 1', id: expect.anything() }, // more digits than a number has here; compared in Python
        { question: '2 + 2', id: 2 },
      ],
      'whole id': true,
      expectations: [{ answer: '2' }, { answer: '4', exact: 4 }],
      exact: 'float',
      tags: { seen: 'again' },
      sources: ['HUMAN', 'HUMAN', 'CODE'],
      schema: { question: 'string', id: 'integer', number: 'integer' },
      profile: { num_records: 1502 },
      experiments: [2, 1],
      deleted: 1500,
      kept: [2, { num_records: 2 }],
      'digest changes': true,
      logged: ['questions', true, true],
      names: ['doomed', 'questions'], // the active experiment is every new one's
      'by filter': ['questions'],
      missing,
      'wrong filter': invalid,
    });
    expect(scorers).toEqual({
      registered: 'polite',
      instructions: ['Is {{ outputs }} polite?', 'Is {{ outputs }} very polite?'],
      listed: ['polite'],
      code: invalid,
      left: 'Is {{ outputs }} very polite?',
      gone: [],
      missing,
    });
    expect(webhooks).toEqual({
      created: ['for-tests', 'ACTIVE', 'tells a test'],
      tried: [true, 200, 'thanks'],
      told: [
        ['prompt_alias', 'created', 'example_prompt'],
        ['registered_model', 'created', 'told'],
        ['prompt_version', 'created', 'told-prompt'],
      ],
      template: 'Hi {{ you }}',
      signed: true, // by MLflow's own function
      changed: ['renamed', 'DISABLED'],
      listed: [['renamed', 'DISABLED', 3]],
      gone: missing,
      'not inside': invalid,
    });
  },
  scriptMs,
);

test(
  'mlflow.genai.evaluate runs scorers in code on a data set of the server, and its traces hold what they said',
  async () => {
    const metrics = { 'exact/mean': 0.667, 'length/mean': 2.333 };
    expect(await runScript('mlflow_evaluate.py')).toEqual({
      metrics,
      'run metrics': metrics,
      dataset: ['sums'],
      traces: 3,
      inputs: ['1 + 1', '2 + 2', '2 + 3'],
      feedback: [
        ['exact', false],
        ['exact', true],
        ['exact', true],
        ['length', 1],
        ['length', 1],
        ['length', 5],
      ],
      'run type': 'genai_evaluate',
    });
  },
  scriptMs,
);
