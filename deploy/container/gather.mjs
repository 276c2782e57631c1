// node deploy/container/gather.mjs <folder>    after `npm run build`: puts all that a replica is made of into a folder, for
// the container and for the test of it. Its program is bundled, so of the packages there is one: onnxruntime's, with the
// library of this platform alone.
import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [to] = process.argv.slice(2);
if (to === undefined) throw new Error('usage: node deploy/container/gather.mjs <folder>');
const root = fileURLToPath(new URL('../..', import.meta.url));
const onnxruntime = 'node_modules/onnxruntime-node';
const parts = [
  'package.json',
  'bin/tidemill',
  'bin/data-plane-flags',
  'dist/program',
  'python',
  'deploy/container/entrypoint.sh',
  'deploy/container/healthcheck.mjs',
  `${onnxruntime}/package.json`,
  `${onnxruntime}/dist`,
  'node_modules/onnxruntime-common',
];
const library = /\/bin\/napi-v\d+(?:$|\/([^/]+)(?:$|\/([^/]+)))/;

function copy(part, filter) {
  mkdirSync(dirname(join(to, part)), { recursive: true });
  cpSync(join(root, part), join(to, part), { recursive: true, ...(filter && { filter }) });
}

for (const part of parts) copy(part, (path) => !path.includes('__pycache__'));
copy(`${onnxruntime}/bin`, (path) => {
  const [, system = process.platform, machine = process.arch] = library.exec(path) ?? [];
  return system === process.platform && machine === process.arch;
});
