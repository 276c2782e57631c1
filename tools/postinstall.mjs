// Runs after `npm ci`, with Node.js alone: checks what the program needs and builds better-sqlite3, whose own install
// script is denied in package.json (npm 11), and whose failure is taken as that of an optional package (npm 10), so that
// a missing compiler is told in one sentence instead of a page of errors. It is not optional: without it this fails.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs'; // whole: an old Node.js lacks names in it, and shall still reach the sentence about that
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';

const root = dirname(import.meta.dirname ?? new URL('.', import.meta.url).pathname.replace(/\/$/, ''));
const packageFolder = join(root, 'node_modules', 'better-sqlite3');
const logFile = join(root, 'node_modules', '.better-sqlite3-build.log');
const neededDiskMb = 300; // the build's peak

class Problem extends Error {}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    throw new Problem(
      `Tidemill needs Node.js 20.19 or newer, this is ${process.version}: install a newer one and run npm ci again.`,
    );
}

function checkDisk() {
  const { bavail, bsize } = fs.statfsSync(root);
  const freeMb = Math.floor((bavail * bsize) / 1e6);
  if (freeMb < neededDiskMb)
    throw new Problem(
      `The disk that holds ${root} has ${freeMb} MB left and ${neededDiskMb} MB are needed: free some space and run npm ci again.`,
    );
}

/** In a child, for a library that does not fit may end the process that loads it. */
function loads() {
  if (!fs.existsSync(join(packageFolder, 'build', 'Release', 'better_sqlite3.node'))) return false;
  const program = `new (require(${JSON.stringify(packageFolder)}))(':memory:').close()`;
  return spawnSync(process.execPath, ['-e', program], { stdio: 'ignore' }).status === 0;
}

function run(command, args, options = {}) {
  const log = fs.openSync(logFile, 'a');
  const done = spawnSync(command, args, { cwd: packageFolder, stdio: ['ignore', log, log], ...options });
  return done.status === 0;
}

/** A binary that the package's authors built for this platform, when it can be downloaded: by the tool that it uses itself. */
function download() {
  const ofDriver = createRequire(join(packageFolder, 'package.json'));
  return run(process.execPath, [ofDriver.resolve('prebuild-install/bin.js')], { timeout: 60_000 });
}

const onPath = (names) =>
  names.some((name) => (process.env.PATH ?? '').split(delimiter).some((folder) => fs.existsSync(join(folder, name))));

function checkCompiler() {
  const tools = {
    python3: [process.env.PYTHON ?? 'python3', 'python3', 'python'],
    make: ['make', 'gmake'],
    'a C++ compiler': [process.env.CXX ?? 'g++', 'g++', 'c++', 'clang++'],
  };
  const missing = Object.keys(tools).filter((tool) => !onPath(tools[tool]));
  if (missing.length === 0) return;
  const remedy =
    process.platform === 'darwin'
      ? 'run "xcode-select --install"'
      : 'install what is missing ("apt install python3 make g++" on Debian and Ubuntu, "dnf install python3 make gcc-c++" on Fedora)';
  throw new Problem(
    `The database driver better-sqlite3 has no ready-made binary that can be had here, and building it needs ${missing.join(' and ')}: ${remedy} and run npm ci again.`,
  );
}

function compile() {
  const nodeGyp = process.env.npm_config_node_gyp ?? nodeGypOfNpm();
  if (nodeGyp === undefined) return run('node-gyp', ['rebuild', '--release']);
  return run(process.execPath, [nodeGyp, 'rebuild', '--release']);
}

/** npm carries node-gyp and names it to the scripts that it runs; outside of npm it is looked for beside it. */
function nodeGypOfNpm() {
  const nearNode = join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js');
  const npm = process.env.npm_execpath ?? nearNode;
  const path = join(dirname(npm), '..', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  return fs.existsSync(path) ? path : undefined;
}

/** npm 10 knows no denied scripts: it tried, and took the package away because it is optional and could not be built. */
function refuseAbsent() {
  checkCompiler();
  throw new Problem(
    'The database driver better-sqlite3 could not be installed: run "npm install --foreground-scripts --no-save better-sqlite3" to see why.',
  );
}

function build() {
  checkDisk();
  if (download() && loads()) return;
  checkCompiler();
  console.log('tidemill: building better-sqlite3, about a minute …');
  if (compile() && loads()) return;
  throw new Problem(
    `The database driver better-sqlite3 could not be built, often because Node.js's headers cannot be downloaded (then set npm's "nodedir" to where they are): ${logFile} says why.`,
  );
}

try {
  checkNode();
  if (!fs.existsSync(packageFolder)) refuseAbsent();
  if (!loads()) build();
} catch (error) {
  console.error(error instanceof Problem ? error.message : error);
  process.exitCode = 1;
}
