// node tools/compare-mlflow.mjs <mlflow's address> <our address>
// Sends the same requests to a real MLflow server and to ours, both fresh, and prints where status, code, text or shape of
// the answers differ. What differs on purpose is in docs/reference/mlflow.md.
import { scenarios } from './compare-mlflow-scenarios.mjs';

const [theirs, ours] = process.argv.slice(2).map((address) => address.replace(/\/$/, ''));
if (ours === undefined) {
  console.error('usage: node tools/compare-mlflow.mjs http://127.0.0.1:5000 http://127.0.0.1:7878 [scenario]');
  process.exit(2);
}
const only = process.argv[4];

/** What one server has given names to: ids that requests after it send back. */
const makeSide = (address) => ({ address, values: new Map() });
const fill = (value, values) =>
  JSON.parse(JSON.stringify(value), (_, item) => (typeof item === 'string' ? fillText(item, values) : item));
const fillText = (text, values) => text.replaceAll(/\$(\w+)/g, (whole, name) => values.get(name) ?? whole);

async function ask(side, { method, path, body, query, raw, headers, save = {} }) {
  const url = new URL(side.address + fillText(path, side.values));
  for (const [key, value] of Object.entries(query ?? {}))
    for (const one of [value].flat()) url.searchParams.append(key, fillText(String(one), side.values));
  const payload = raw ?? (body === undefined ? undefined : JSON.stringify(fill(body, side.values)));
  const response = await fetch(url, {
    method,
    headers: { ...(payload !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(payload !== undefined && { body: payload }),
  });
  const text = await response.text();
  const answer = parse(text);
  for (const [name, at] of Object.entries(save)) {
    const value = at.split('.').reduce((inner, key) => inner?.[key], answer);
    if (value !== undefined) side.values.set(name, String(value));
  }
  return { status: response.status, answer: plain(answer, side.values) };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Without what is never equal: ids, times, generated names, and the optional facts of newer errors. */
function plain(value, values) {
  if (typeof value === 'number') return value > 1e12 ? '<time>' : value;
  if (typeof value === 'string') return plainText(value, values);
  if (Array.isArray(value)) return value.map((item) => plain(item, values));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'sqlstate' && key !== 'error_class')
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, plain(item, values)]),
  );
}

function plainText(text, values) {
  let result = text;
  for (const [name, value] of values) if (value.length > 8) result = result.replaceAll(value, `<${name}>`);
  return result
    .replaceAll(/\b[0-9a-f]{32}\b/g, '<hex>')
    .replaceAll(/\b[a-z]+-[a-z]+-\d{1,4}\b/g, '<name>')
    .replaceAll(/\b1[789]\d{11}\b/g, '<time>');
}

/** The places at which two answers differ. */
function differences(a, b, at = '') {
  if (JSON.stringify(a) === JSON.stringify(b)) return [];
  const both = [a, b].every((value) => typeof value === 'object' && value !== null);
  if (!both || Array.isArray(a) !== Array.isArray(b)) return [`${at || 'answer'}: ${show(a)} | ${show(b)}`];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) =>
    differences(a[key], b[key], at === '' ? key : `${at}.${key}`),
  );
}

function show(value) {
  const text = JSON.stringify(value) ?? '(absent)';
  return text.length > 260 ? `${text.slice(0, 260)}…` : text;
}

let [count, different] = [0, 0];
for (const [name, steps] of Object.entries(scenarios)) {
  if (only !== undefined && only !== name) continue;
  console.log(`# ${name}`);
  const sides = [makeSide(theirs), makeSide(ours)];
  for (const step of steps) {
    const [one, other] = await Promise.all(sides.map((side) => ask(side, step)));
    const found = differences(
      { status: one.status, ...wrap(one.answer) },
      { status: other.status, ...wrap(other.answer) },
    );
    count += 1;
    if (found.length === 0) continue;
    different += 1;
    console.log(`${step.method} ${step.path} ${show(step.raw ?? step.body ?? step.query)}`);
    for (const line of found) console.log(`    ${line}`);
  }
}
console.log(`${count} requests, ${different} answered differently (MLflow's | ours)`);

function wrap(answer) {
  return typeof answer === 'object' && answer !== null && !Array.isArray(answer) ? answer : { answer };
}
