// Prints the reference pages of docs/ from the built code: node tools/print-docs.mjs (after npm run build).
// tests/docs.test.ts prints them from the sources and fails when a page is stale.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const mark = '<!-- Printed from the code by tools/print-docs.mjs: do not edit. -->';

/** Each page by its path, from the code in a folder: `dist` (.js) or `src` (.ts, under a runner that reads it). */
export async function printDocs(folder, extension) {
  const load = (path) => import(/* @vite-ignore */ pathToFileURL(join(folder, `${path}${extension}`)).href);
  const [{ kindTable }, { settings }, { printJsonSchema }, { conformanceTable }, { servingConformance }, metrics] =
    await Promise.all([
      load('contracts/error-kinds'),
      load('platform/config/settings'),
      load('modules/workspace/document-schema'),
      load('protocols/mlflow/conformance/conformance-table'),
      load('serving/conformance/conformance-table'),
      load('serving/metric-families'),
    ]);
  return {
    'docs/errors.md': printErrors(await findErrors(folder, extension), kindTable),
    'docs/configuration.md': printSettings(settings),
    'docs/tidemill-yaml.md': printDocument(printJsonSchema()),
    'docs/reference/mlflow.md': printConformance(Object.values(conformanceTable)),
    'docs/reference/serving.md': printServing(Object.values(servingConformance)),
    'docs/reference/metrics.md': printMetrics(metrics),
  };
}

/** Every coded error that the code declares, by where it is declared. */
async function findErrors(folder, extension) {
  const files = (await readdir(folder, { recursive: true }))
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith(extension) && !/^program\/|\.test\.|\.d\.ts$|\/testing\//.test(file))
    .sort();
  const found = new Map();
  for (const file of files) {
    if (!(await readFile(join(folder, file), 'utf8')).includes('defineErrors(')) continue;
    const exports = await import(/* @vite-ignore */ pathToFileURL(join(folder, file)).href);
    const place = placeOf(file);
    for (const value of Object.values(exports))
      for (const error of typeof value === 'object' && value !== null ? Object.values(value) : [])
        if (typeof error === 'function' && typeof error.code === 'string' && typeof error.kind === 'string')
          found.set(error.code, { error, place });
  }
  return [...found.values()];
}

/** `modules/alerts/…` is alerts, `platform/http/…` is platform. */
function placeOf(file) {
  const [room, name] = file.split('/');
  return room === 'modules' || room === 'protocols' ? name : room;
}

function printErrors(found, kindTable) {
  const places = [...new Set(found.map(({ place }) => place))].sort();
  const sections = places.map((place) => {
    const rows = found
      .filter((one) => one.place === place)
      .sort((a, b) => (a.error.code < b.error.code ? -1 : 1))
      .map(({ error }) => {
        const { http, exit, retryable } = kindTable[error.kind];
        const text = [messageOf(error), error.help].filter(Boolean).join(' ');
        return `| \`${error.code}\` | ${http} | ${exit} | ${retryable ? 'yes' : 'no'} | ${cell(text)} |`;
      });
    return [
      `## ${place}`,
      '',
      '| code | HTTP | exit | retry | what it says, and how to mend it |',
      '|---|---|---|---|---|',
      ...rows,
      '',
    ].join('\n');
  });
  const intro = [
    mark,
    '# Errors',
    '',
    'Every failure has a stable `code`. Our own API answers `{ "error": { "code", "message", "details", "requestId" } }` with the HTTP',
    'status, the command line ends with the exit code; *retry* says whether the same request may succeed when it is sent again',
    'unchanged. `…` stands for what the message names.',
    '',
    '',
  ].join('\n');
  return intro + sections.join('\n');
}

/** The message with `…` for each of its arguments; undefined where it needs more than texts. */
function messageOf(error) {
  try {
    const { message } = error(...Array.from({ length: 8 }, () => '…'));
    return message.includes('NaN') || message.includes('undefined') ? undefined : sentence(message);
  } catch {
    return undefined;
  }
}

const sentence = (text) => (/[.!?…]$/.test(text) ? text : `${text}.`);
const cell = (text) => text.replaceAll('\n', ' ').replaceAll('|', '\\|');

function printConformance(areas) {
  const states = ['supported', 'differs', 'not yet'];
  const all = areas.flatMap((area) => area.endpoints);
  const counts = states.map((state) => `${all.filter((one) => one.state === state).length} ${state}`).join(', ');
  const sections = areas.flatMap(({ title, about, plain, endpoints }) => [
    `## ${title}`,
    '',
    ...(about === undefined ? [] : [about, '']),
    ...(plain === undefined ? [] : ['At these very paths, without `/api`.', '']),
    '| call | | what differs and why, or what to know | older clients |',
    '|---|---|---|---|',
    ...endpoints.map(
      ({ call, state, note = '', older = '' }) => `| \`${call}\` | ${state} | ${cell(note)} | ${cell(older)} |`,
    ),
    '',
  ]);
  return [
    mark,
    "# MLflow's REST API",
    '',
    `What clients and pages of MLflow 3.17 call, and how it stands here: ${counts}. Each path is reached under \`/api\` and \`/ajax-api\`, and`,
    'behind `/projects/<project>` in a project of its own. *Supported* means the same requests and answers; *differs* means on purpose, for',
    'the reason given; *not yet* is refused with 404 `ENDPOINT_NOT_FOUND` or 501 `NOT_IMPLEMENTED`, which clients tolerate.',
    'The tests refuse this page when a call that it names supported has not been answered with success, when a call that is there is not',
    'named, and when one that is "not yet" answers otherwise (`src/protocols/mlflow/mlflow-conformance.test.ts`).',
    '',
    'The clients 2.9, 2.22, 3.1 and the newest send alike what the last column does not name.',
    '',
    ...sections,
  ].join('\n');
}

function printServing(protocols) {
  const sections = protocols.flatMap(({ title, about, sections: parts }) => [
    `## ${title}`,
    '',
    about,
    '',
    ...parts.flatMap((part) => [
      `### ${part.title}`,
      '',
      ...(part.about === undefined ? [] : [part.about, '']),
      '| | | what differs and why, or what to know |',
      '|---|---|---|',
      ...part.rows.map(
        ({ what, state, note = '' }) => `| ${cell(isCall(what) ? `\`${what}\`` : what)} | ${state} | ${cell(note)} |`,
      ),
      '',
    ]),
  ]);
  return [
    mark,
    '# What the data plane answers',
    '',
    'Every protocol of the serving port, call by call. *Supported* means as the protocol and its clients have it; *differs* means on purpose,',
    'for the reason given; *not yet* is refused in words. Each row is proven by a test of its own name, which fails when the row is wrong.',
    'How to use them: [serving](../serving.md).',
    '',
    ...sections,
  ].join('\n');
}

function printMetrics({ ownFamilies, tritonFamilies }) {
  const table = (families) => [
    '| name | type | labels | meaning |',
    '|---|---|---|---|',
    ...Object.entries(families).map(
      ([name, { kind, labels, help }]) =>
        `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${cell(help)} |`,
    ),
    '',
  ];
  return [
    mark,
    '# What the data plane counts',
    '',
    '`GET /metrics` of the serving port, in the text format of Prometheus: of the models that the caller may call, so a scraper needs a token',
    'wherever callers do. Everything counts since the process started. Labels come from what is deployed, or are of a short list (`role`:',
    '`primary`, `shadow`; `stage`: `input`, `queue`, `infer`, `output`; `kind`: the kinds of [errors](../errors.md), `abandoned` and',
    '`unrecorded`): what a caller makes up never becomes a series. A family without anything to say is left out. A test reads every family',
    'from a running server and holds its labels against this page.',
    '',
    ...table(ownFamilies),
    "## Triton's names",
    '',
    'For dashboards that people have; times are in microseconds. `reason` is `REJECTED` (a full queue, a deadline), `CANCELED` or `OTHER`.',
    '',
    ...table(tritonFamilies),
  ].join('\n');
}

const isCall = (what) => /^(GET|POST|rpc) /.test(what);

function printSettings(settings) {
  const rows = Object.values(settings).map((setting) => {
    const value = setting.defaultText ?? showDefault(setting.default);
    const unit = setting.unit === undefined || setting.defaultText !== undefined ? '' : ` ${setting.unit}`;
    return `| \`--${setting.flag}\` | \`${setting.environment}\` | ${cell(value)}${unit} | ${cell(setting.reason)} |`;
  });
  return [
    mark,
    '# Configuration',
    '',
    'Each key is an option of `tidemill up` and a variable of the environment; the option wins. All problems are told at once.',
    '',
    '| option | variable | default | why one would change it |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function showDefault(value) {
  if (value === undefined) return 'none';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ');
  return String(value);
}

function printDocument(schema) {
  const lines = [mark, '# tidemill.yaml', '', schema.description ?? '', ''];
  lines.push(
    'Unknown keys are errors. Durations are written `90s`, `3h`, `28d`; references `kind:name@version-or-alias`.',
    '',
  );
  lines.push(
    'Editors complete and check it by the JSON Schema in `schema/tidemill.schema.json` of the checkout; those with a YAML language server',
    'take it from a first line `# yaml-language-server: $schema=<checkout>/schema/tidemill.schema.json`. A running server answers it as',
    '`schema` of `GET /api/v1/workspace`.',
    '',
  );
  for (const [name, section] of Object.entries(schema.properties)) {
    lines.push(`## ${name}`, '', ...(section.description === undefined ? [] : [upper(section.description), '']));
    const insides = insidesOf(section, '').map(([inner]) => inner);
    if (insides.length === 0) {
      lines.push(`Type: ${typeOf(section)}.`, '');
      continue;
    }
    if (section.type === 'array') lines.push('A list; each entry has:', '');
    else if (section.properties === undefined) lines.push('By name; each has:', '');
    lines.push('| key | type | | meaning |', '|---|---|---|---|', ...propertyRows(insides, ''), '');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

const upper = (text) => sentence(text.charAt(0).toUpperCase() + text.slice(1));
const firstPattern = (schema) =>
  schema.patternProperties === undefined ? undefined : Object.values(schema.patternProperties)[0];

/** All keys of an object, given as its alternatives, and of the objects inside it, by their path. */
function propertyRows(forms, prefix) {
  const keys = [...new Set(forms.flatMap((form) => Object.keys(form.properties)))];
  return keys.flatMap((key) => {
    const path = `${prefix}${key}`;
    const values = forms.flatMap((form) => form.properties[key] ?? []);
    const type = [...new Set(values.map(typeOf))].join(' or ');
    const text = [...new Set(values.flatMap(({ description }) => description ?? []))].map(sentence).join(' ');
    const [fallback] = values.flatMap((value) => (value.default === undefined ? [] : [JSON.stringify(value.default)]));
    const meaning = fallback === undefined ? text : `${text} Default: \`${fallback}\`.`.trimStart();
    const row = `| \`${path}\` | ${cell(type)} | ${needOf(forms, key)} | ${cell(meaning)} |`;
    const insides = values.flatMap((value) => insidesOf(value, path));
    const places = [...new Set(insides.map(([, at]) => at))];
    return [
      row,
      ...places.flatMap((place) =>
        propertyRows(
          insides.flatMap(([inner, at]) => (at === place ? [inner] : [])),
          `${place}.`,
        ),
      ),
    ];
  });
}

/** Whether a key must be there: in every form, as the mark of its own form, or beside the mark of another. */
function needOf(forms, key) {
  const needing = forms.filter((form) => form.required?.includes(key));
  if (needing.length === forms.length) return 'needed';
  const having = forms.filter((form) => key in form.properties);
  if (needing.length === 0 && having.length === forms.length) return '';
  if (forms.length > 3) return 'by kind'; // the description of the list says which
  const marks = new Map(forms.map((form) => [form, markOf(form, forms)]));
  const named = (some) => [...new Set(some.map((form) => marks.get(form)))].map((mark) => `\`${mark}\``).join(', ');
  if ([...marks.values()].includes(key)) return `one of ${named(forms)}`;
  if (needing.length > 0) return `needed with ${named(needing)}`;
  return `with ${named(having)}`;
}

/** The key that a form has and others need not have. */
function markOf(form, forms) {
  const needed = form.required ?? [];
  const others = forms.filter((one) => one !== form);
  const rarity = (key) => others.filter((one) => one.required?.includes(key)).length;
  return needed.toSorted((a, b) => rarity(a) - rarity(b))[0];
}

/** Objects inside a value: its own keys, those of what it holds by name or in a list, those of its alternatives. */
function insidesOf(schema, path) {
  if (schema.properties !== undefined) return [[schema, path]];
  if (schema.type === 'array') return insidesOf(schema.items, `${path}[]`);
  const held = firstPattern(schema);
  if (held !== undefined) return insidesOf(held, `${path}.<name>`);
  return (schema.anyOf ?? []).flatMap((one) => insidesOf(one, path));
}

function typeOf(schema) {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(' or ');
  if (schema.type === 'array') return `list of ${typeOf(schema.items)}`;
  if (firstPattern(schema) !== undefined) return `by name: ${typeOf(firstPattern(schema))}`;
  if (schema.type === 'string') return 'text';
  return schema.type ?? 'anything';
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  const pages = await printDocs(join(root, 'dist'), '.js');
  for (const [path, text] of Object.entries(pages)) await writeFile(join(root, path), text);
  console.log(`printed ${Object.keys(pages).join(', ')}`);
}
