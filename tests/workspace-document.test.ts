import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openProjectFolder } from '../src/cli/workspace/project-folder.ts';
import { createProjectSender, ensureProject } from '../src/cli/workspace/send.ts';
import { diffWorkspace } from '../src/contracts/workspace.ts';
import { startControlPlane, type TestControlPlane, temporaryFolder } from './support/control-plane.ts';

type Files = Readonly<Record<string, string>>;

async function problemsOf(
  text: string,
  files: Files = {},
  server?: Pick<TestControlPlane, 'client'>,
): Promise<readonly string[]> {
  const { client } = server ?? (await startControlPlane());
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'tidemill.yaml'), text);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  const project = await openProjectFolder(folder);
  const own = await ensureProject(client, project.project);
  const sent = await (await createProjectSender(own, project)).describe();
  try {
    await own.call(diffWorkspace, { body: { files: [...sent.files], texts: sent.texts } });
    return [];
  } catch (error) {
    return (error as Error).message.split('\n');
  }
}

describe('a document that is wrong', () => {
  test('is refused with file, line, column, what was expected and the nearest name, all at once', async () => {
    const problems = await problemsOf(`project: p
datasets:
  flights: { source: data/*.csv, tme: t }
  weather: { source: [1] }
features:
  w: { dataset: wether, entity: origin, time: t, ttl: 3 hours, columns: [a] }
`);
    expect(problems).toEqual([
      'tidemill.yaml:3:34: unknown key "tme"; expected source, format, time, subject, schema, checks, description; did you mean "time"?',
      expect.stringMatching(/^tidemill\.yaml:4:22: a list is not right here; expected a string/),
      expect.stringMatching(/^tidemill\.yaml:6:55: "3 hours" has not the right form/),
    ]);
  });

  test('is told apart from broken YAML', async () => {
    const problems = await problemsOf('project: p\ndatasets: {a: [1\n');
    expect(problems[0]).toMatch(/^tidemill\.yaml:\d+:\d+: this is not YAML/);
  });

  test('with a circle, unknown inputs and unreadable gates says each with its place', async () => {
    const problems = await problemsOf(`project: p
datasets:
  rows: { source: data/*.csv }
pipelines:
  train:
    steps:
      a: { run: 'true', needs: [b], outputs: { x: model, t: dataset } }
      b: { run: 'true', inputs: { x: a.x } }
      c: { run: 'true', inputs: { x: a.y, r: 'dataset:row' } }
    model: { name: m, from: a.x, train: a.t, test: a.t, label: y, predicts: { kind: binary, score: s }, gates: ['auc >'] }
`);
    expect(problems).toEqual([
      'tidemill.yaml:7:10: the steps need each other in a circle: a → b → a',
      'tidemill.yaml:9:38: no step makes "a.y"; expected <step>.<output>; did you mean "a.x"?',
      'tidemill.yaml:9:46: there is no dataset "row"; did you mean "rows"?',
      expect.stringMatching(
        /^tidemill\.yaml:10:\d+: the gate "auc >" cannot be read at character 6; expected a number/,
      ),
    ]);
  });

  test('of every other kind says what, where, and what was expected', async () => {
    const server = await startControlPlane();
    const found: (readonly [string, readonly string[]])[] = [];
    for (const [text, , files] of wrongDocuments) found.push([text, await problemsOf(text, files, server)]);
    expect(found).toEqual(
      wrongDocuments.map(([text, lines]) => [text, lines.map((line) => expect.stringContaining(line) as string)]),
    );
  }, 60_000);
});

const base = 'project: p\ndatasets: { rows: { source: data/*.csv } }\n';
const model = 'name: m, from: a.m, train: a.t, test: a.t, label: y, predicts: { kind: binary, score: s }';
const steps = "steps: { a: { run: 'true', outputs: { m: model, t: dataset, r: metrics } } }";

/** A document, the beginning of each line that it is refused with, and the files beside it. */
const wrongDocuments: readonly (readonly [string, readonly string[], Files?])[] = [
  ['', ['tidemill.yaml:1:1: the document is empty']],
  [
    'project: p\npipelines:\n  train:\n    steps:\n      a: { run: python steps/prepar.py }\n',
    [
      'tidemill.yaml:5:17: there is no file "steps/prepar.py" in the project; expected a file of the project, which git does not ignore; did you mean "steps/prepare.py"?',
    ],
    { 'steps/prepare.py': 'print(1)\n' },
  ],
  [
    'project: p\npipelines:\n  train:\n    steps:\n      a: { run: python steps/a.py }\n      b: { run: python steps/b.py }\n',
    [
      'tidemill.yaml:6:17: steps/b.py imports steps/a.py, which is the program of another step and so not there; expected code: [steps/b.py, steps/a.py], or what both need in a file of its own',
    ],
    { 'steps/a.py': 'x = 1\n', 'steps/b.py': 'from a import x\n' },
  ],
  ['- a\n', ['tidemill.yaml:1:1: a list is not right here; expected an object']],
  ['project: p\n\tdatasets: {}\n', ['tidemill.yaml:2:1: this is not YAML']],
  ['project: [p\n', ['tidemill.yaml:2:1: this is not YAML']],
  ['project: a/b\n', ['tidemill.yaml:1:10: "a/b" has not the right form; expected a name']],
  ['project: p\nproject: p\n', ['tidemill.yaml:2:1: "project" stands twice in the same mapping']],
  [
    'project: p\ndatasets:\n  rows: { source: a.csv }\n  rows: { source: b.csv }\n',
    ['tidemill.yaml:4:3: "rows" stands twice in the same mapping'],
  ],
  ['project: p\nproyect: q\n', ['tidemill.yaml:2:1: unknown key "proyect"; expected project, include']],
  ['datasets: {}\n', ['tidemill.yaml:1:1: "project" is missing']],
  ['project: p\ndatasets: { rows: {} }\n', ['tidemill.yaml:2:19: "source" is missing']],
  [
    'project: p\ndatasets: { rows: { source: /etc/passwd } }\n',
    ['tidemill.yaml:2:29: the source must lie inside the project'],
  ],
  [
    'project: p\ndatasets: { rows: { source: a.csv, schema: fixd } }\n',
    ['tidemill.yaml:2:44: "fixd" is not one of the values; expected fixed, grow; did you mean "fixed"?'],
  ],
  [
    'project: p\ndatasets: { rows: { source: a.csv, checks: [{ column: a, regex: "(" }] } }\n',
    ['tidemill.yaml:2:65: "(" is no regular expression'],
  ],
  [
    'project: p\na: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n',
    ['tidemill.yaml:1:1: its aliases cannot be followed'],
  ],
  // a check is one of several forms: what it says tells which, and a key of none of them is told with all that may stand there
  [
    'project: p\ndatasets: { rows: { source: a.csv, checks: [{ column: a, regx: "x" }] } }\n',
    [
      'tidemill.yaml:2:58: unknown key "regx"; expected column, in, level, min, max, not_null, unique, regex, type; did you mean "regex"?',
    ],
  ],
  [
    'project: p\ndatasets: { rows: { source: a.csv, checks: [{ column: a, in: [x], levl: warn }, { row_count: { mim: 1 } }] } }\n',
    [
      'tidemill.yaml:2:67: unknown key "levl"; expected column, in, level; did you mean "level"?',
      'tidemill.yaml:2:96: unknown key "mim"; expected min, max; did you mean "min"?',
    ],
  ],
  [
    'project: p\ndatasets: { rows: { source: a.csv, checks: [{ colum: a, unique: true }, { row_cont: { min: 1 } }] } }\n',
    [
      'tidemill.yaml:2:47: unknown key "colum"; expected column, unique, level; did you mean "column"?',
      'tidemill.yaml:2:75: unknown key "row_cont"; expected column, in, level, min, max, not_null, unique, regex, type, row_count; did you mean "row_count"?',
    ],
  ],
  [
    'project: p\ndatasets: { rows: { source: a.csv, checks: [{ column: a, level: warn }] } }\n',
    ['tidemill.yaml:2:45: the check of "a" says nothing that must hold; expected one of in, min, max, not_null'],
  ],
  // features
  [
    `${base}features: { v: { sql: features/v.sql, entity: e, time: t } }\n`,
    ['tidemill.yaml:3:23: there is no file "features/v.sql"'],
  ],
  [
    `${base}features: { v: { dataset: rows, entity: e, time: t, ttl: 3hours, columns: [a] } }\n`,
    ['tidemill.yaml:3:58: "3hours" has not the right form; expected a duration: 90s, 3h, 28d'],
  ],
  // pipelines
  [
    `${base}pipelines: { p: { steps: { a: { run: 'true', timeout: soon } } } }\n`,
    ['tidemill.yaml:3:55: "soon" has not the right form; expected a duration'],
  ],
  [
    `${base}pipelines: { p: { steps: { a: { run: 'true', needs: [b] }, bb: { run: 'true' } } } }\n`,
    ['tidemill.yaml:3:54: there is no step "b"'],
  ],
  [
    `${base}pipelines: { p: { python: requirement.txt, steps: { a: { run: 'true' } } } }\n`,
    [
      'tidemill.yaml:3:27: there is no file "requirement.txt"; expected a requirements file; did you mean "requirements.txt"?',
    ],
    { 'requirements.txt': '' },
  ],
  [
    `${base}pipelines: { p: { steps: { a: { run: 'true', inputs: { x: { spine: dataset:row, at: t, features: [w] } } } } } }\n`,
    ['tidemill.yaml:3:68: there is no dataset "row"; did you mean "rows"?', 'there is no feature view "w"'],
  ],
  ...(
    [
      ['a.m >', 'the condition "a.m >" cannot be read at character 6; expected a number, a text, params.<name>'],
      ['a.m.n > 1', 'a.m is of kind model: it has no fields to decide by; expected an output of kind json or metrics'],
      ['a.reprt.n > 1', 'step "a" makes no output "reprt"; did you mean "report"?'],
      ['aa.report.n > 1', 'there is no step "aa"; did you mean "a"?'],
      ['params.mnths > 1', 'there is no parameter "mnths"; did you mean "months"?'],
      ['a.report.n + 1', '"a.report.n + 1" is never true or false; expected a condition'],
      ['match(a.report.n)', 'cannot be read at character 1; expected a function that there is: has, size'],
    ] as const
  ).map(([when, line]): readonly [string, readonly string[]] => [
    `${base}pipelines:\n  p:\n    params: { months: 3 }\n    steps:\n      a: { run: 'true', outputs: { m: model, report: metrics } }\n      b: { run: 'true', when: '${when}' }\n`,
    [`tidemill.yaml:8:31: ${line.startsWith('cannot') ? `the condition "${when}" ` : ''}${line}`],
  ]),
  [
    `${base}pipelines: { p: { steps: { a: { run: 'true', outputs: { x: json }, when: b.x.ok }, b: { run: 'true', outputs: { x: json }, when: a.x.ok } } } }\n`,
    ['tidemill.yaml:3:31: the steps need each other in a circle: a → b → a'],
  ],
  // what would only be found out after the training
  [
    `${base}pipelines: { p: { ${steps}, model: { name: m, from: a.t, train: a.m, test: a.t, metrics: a.m, label: "y > 1)", predicts: { kind: binary, score: "s[1" } } } }\n`,
    ['"s[1" has not the right form'],
  ],
  [
    `${base}pipelines: { p: { ${steps}, model: { name: m, from: a.t, train: a.m, test: a.t, metrics: a.m, label: "y > 1)", predicts: { kind: binary, score: "s[1]" } } } }\n`,
    [
      '"a.t" is of kind dataset; expected an output of kind model: outputs: { t: model }',
      '"a.m" is of kind model; expected an output of kind dataset: outputs: { m: dataset }',
      '"a.m" is of kind model; expected an output of kind metrics or json: outputs: { m: metrics }',
      'the label cannot be read: a ")" closes nothing; expected one SQL expression',
    ],
  ],
  [
    `${base}deployments: { late: { model: "model:m@champion" } }\nmonitors: { late: { truth: { dataset: rows, key: [a], time: t, value: "y > 1; --" } } }\n`,
    ['the value cannot be read: it is one expression, not a statement; expected one SQL expression'],
  ],
  [
    `${base}pipelines: { p: { ${steps}, model: { ${model}, gates: ["auc champion.auc"] } } }\n`,
    ['the gate "auc champion.auc" cannot be read at character 5'],
  ],
  [
    `${base}pipelines: { p: { ${steps}, model: { ${model}, gates: ["auc > champ.auc", "f2 > 0.1", "champion.mine > 0", "n > 10"] } } }\n`,
    [
      'no metric is named "champ.auc"; expected auc, log_loss, brier, accuracy, precision, recall, f1, calibration_error, champion.auc',
      'no metric is named "f2"',
      'no metric is named "champion.mine"',
    ],
  ],
  [
    `${base}pipelines: { p: { ${steps}, model: { ${model}, metrics: a.r, gates: ["mine > 1", "val.mine > champion.mine"] } } }\n`,
    ['no metric is named "champion.mine"'],
  ],
  [
    `${base}pipelines: { p: { params: { lr: 1, net: {} }, steps: { a: { run: 'fit \${inputs.row} \${params.l} \${params.net.depth}', inputs: { rows: 'dataset:rows' }, outputs: [m] }, b: { run: [fit, "--to=\${outputs.n}", "\${params.lr}", "\${HOME}"], outputs: [m], params: [net] } } } }\n`,
    [
      'tidemill.yaml:3:66: the step has no "inputs.row"; expected inputs.rows, outputs.m, params.lr, params.net; did you mean "inputs.rows"?',
      'tidemill.yaml:3:66: the step has no "params.l"; expected inputs.rows, outputs.m, params.lr, params.net; did you mean "params.lr"?',
      'tidemill.yaml:3:185: the step has no "outputs.n"; expected outputs.m, params.net; did you mean "outputs.m"?',
      'tidemill.yaml:3:206: the step has no "params.lr"; expected outputs.m, params.net; did you mean "params.net"?',
    ],
  ],
  ...(
    [
      ['{ use: label }', 14, '"label" is not one of the values; expected approve, deploy, notify, external'],
      ['{ use: aprove }', 14, 'did you mean "approve"?'],
      ['{ needs: [] }', 7, 'the step does nothing; expected `run` with a command, or `use`'],
      ["{ run: 'true', with: { message: m } }", 28, '"with" belongs to `use`'],
      [
        '{ use: approve, with: { polcy: p } }',
        31,
        'unknown key "polcy"; expected policy, deployment, model, message; did you mean "policy"?',
      ],
      [
        '{ use: approve, with: { deployment: late } }',
        43,
        '`use: approve` takes no "deployment"; expected policy, message',
      ],
      ['{ use: notify }', 7, '`use: notify` needs "message"'],
      [
        "{ use: notify, with: { message: 'it is ${params.x' } }",
        39,
        '"it is ${params.x" cannot be read at character 7; expected "}" after "${"',
      ],
      [
        "{ use: notify, with: { message: 'it is ${params.}' } }",
        39,
        '"it is ${params.}" cannot be read at character 16; expected a name',
      ],
      ["{ use: notify, with: { message: '${params.x}' } }", 39, 'there is no parameter "x"'],
      ['{ use: approve, always: true }', 31, '`use: approve` waits for somebody'],
      ['{ use: external, outputs: [x] }', 33, '`use: external` runs no command, so it has no "outputs"'],
      ['{ use: external, run: "true" }', 29, '`use: external` runs no command, so it has no "run"'],
      [
        '{ use: deploy, with: { deployment: lat, model: "model:m@1" } }',
        42,
        'there is no deployment "lat"; did you mean "late"?',
      ],
      [
        '{ use: deploy, with: { deployment: late } }',
        28,
        'which version is deployed is not said, and the pipeline registers none',
      ],
      ['{ use: deploy, with: { deployment: late, model: "model:n@1" } }', 55, '"late" serves m, not n'],
      [
        '{ use: deploy, with: { deployment: late, model: "m@1" } }',
        55,
        '"m@1" has not the right form; expected model:<name>',
      ],
    ] as const
  ).map(([step, column, line]): readonly [string, readonly string[]] => [
    `${base}deployments: { late: { model: "model:m@champion" } }\npipelines:\n  p:\n    steps:\n      s: ${step}\n`,
    [line.startsWith('did') ? line : `tidemill.yaml:7:${column + 3}: ${line}`],
  ]),
  ...(
    [
      ["{ run: 'x', max: 2 }", 0, '"max" belongs to `foreach`'],
      ["{ run: 'x', foreach: [] }", 0, 'must NOT have fewer than 1 items'],
      ["{ run: 'x', foreach: 'two.' }", 28, '"two." cannot be read at character 5; expected a name'],
      ["{ run: 'x', foreach: size(plan.list) }", 28, '"size(plan.list)" is never a list; expected a list'],
      ["{ run: 'x', foreach: plan.lst }", 28, 'step "plan" makes no output "lst"; did you mean "list"?'],
      [
        "{ run: 'x', foreach: { a: { range: 100 }, b: { range: 100 } } }",
        28,
        'these are 10000 items; expected at most 1000',
      ],
      ["{ run: 'x ${each.b}', foreach: { a: [1] } }", 14, 'no item has a field "b"; expected ${each.a}'],
      ["{ run: 'x ${each.item}' }", 14, '${each.item} stands in a step without `foreach`'],
      ["{ run: 'x', inputs: { l: 'plan[*].list' } }", 32, 'step "plan" has no `foreach`; expected plan.list'],
      ["{ run: 'x', inputs: { l: train.out } }", 32, 'step "train" runs for each of its items; expected train[*].out'],
      ["{ run: 'x', inputs: { l: 'train[*].uot' } }", 32, 'step "train" makes no output "uot"; did you mean "out"?'],
      ["{ run: 'x', inputs: { l: 'trani[*].out' } }", 32, 'there is no step "trani"; did you mean "train"?'],
      ["{ run: 'x', when: train.out.x > 1 }", 25, 'step "train" runs for each of its items, so it has no one out'],
      ['{ use: approve, foreach: [1] }', 32, '`use: approve` runs no command, so it has no "foreach"'],
    ] as const
  ).map(([step, column, line]): readonly [string, readonly string[]] => [
    `${base}pipelines:\n  p:\n    steps:\n      plan: { run: x, outputs: { list: json } }\n      train: { run: x, foreach: [1], outputs: { out: json } }\n      s: ${step}\n`,
    [column === 0 ? line : `tidemill.yaml:8:${column + 3}: ${line}`],
  ]),
  [
    `${base}pipelines: { p: { steps: { a: { run: 'true', foreach: [1], outputs: { m: model, t: dataset } } }, model: { ${model} } } }\n`,
    Array(3).fill(
      'step "a" runs for each of its items; expected an output of a step that chooses one of them',
    ) as string[],
  ],
  // deployments
  [`${base}deployments: { d: { model: "m@champion" } }\n`, ['tidemill.yaml:3:28: "m@champion" has not the right form']],
  [
    `${base}deployments: { d: { model: "model:m@champion", rollout: { steps: [50, 10], each: { requests: 50 } } } }\n`,
    ['tidemill.yaml:3:71: each step gives the new revision more', 'tidemill.yaml:3:71: the last step'],
  ],
  [
    `${base}deployments: { d: { model: "model:m@champion", rollout: { steps: [100], each: { requests: 50 }, abort_when: "eror_rate > 1" } } }\n`,
    [
      'there is no metric "eror_rate"; expected comparisons joined by `or`: error_rate > 0.01 or latency_p99 > 250ms; did you mean "error_rate"?',
    ],
  ],
  // monitors and triggers
  [
    `${base}deployments: { late: { model: "model:m@champion" } }\nmonitors: { lat: { truth: { dataset: row, key: [a], time: t, value: y } } }\n`,
    [
      'there is no deployment "lat" to watch; expected the name of a deployment',
      'tidemill.yaml:4:38: there is no dataset "row"; did you mean "rows"?',
    ],
  ],
  [
    `${base}triggers: [{ on: "alert:late/performance", run: "pipeline:trian" }]\npipelines: { train: { ${steps} } }\n`,
    [
      'tidemill.yaml:3:18: nothing named "late" raises "alert:late/performance"',
      'tidemill.yaml:3:49: "pipeline:trian" is not declared; did you mean "pipeline:train"?',
    ],
  ],
  [
    `${base}triggers: [{ cron: "never", run: "pipeline:train" }]\npipelines: { train: { ${steps} } }\n`,
    ['tidemill.yaml:3:20: '],
  ],
  [
    `${base}triggers: [{ cron: "@daily", cooldown: 3 weeks, run: "pipeline:train" }]\npipelines: { train: { ${steps} } }\n`,
    ['tidemill.yaml:3:40: "3 weeks" has not the right form'],
  ],
  // include
  [
    `${base}include: [mor.yaml]\n`,
    [
      'tidemill.yaml:3:11: there is no file "mor.yaml"; expected a path inside the project, without * or ?; did you mean "more.yaml"?',
    ],
    { 'more.yaml': '' },
  ],
  [`${base}include: [more.yaml]\n`, ['more.yaml:1:2: this is not YAML'], { 'more.yaml': '{' }],
  [
    `${base}include: [more.yaml]\n`,
    ['more.yaml:1:1: an included file is a mapping of sections; expected datasets'],
    { 'more.yaml': 'abc' },
  ],
  [
    `${base}include: [more.yaml]\n`,
    ['more.yaml:2:1: "goal" stands in the document itself'],
    { 'more.yaml': 'features: {}\ngoal: { statement: x }' },
  ],
  [
    `${base}include: [more.yaml, more.yaml]\n`,
    ['tidemill.yaml:3:22: "more.yaml" is included twice'],
    { 'more.yaml': '' },
  ],
  [
    `${base}include: [more.yaml]\n`,
    ['more.yaml:1:13: dataset "rows" is declared twice, here and in tidemill.yaml:2:13'],
    { 'more.yaml': 'datasets: { rows: { source: b.csv } }' },
  ],
  [
    `${base}include: [more.yaml]\n`,
    ['more.yaml:2:3: unknown key "rws"'],
    { 'more.yaml': 'datasets: { x: { source: a,\n  rws: 1 } }' },
  ],
];
