// node tools/check-static.mjs    every check that runs nothing of the program, all at once; fails when one of them does.
import { spawn } from 'node:child_process';

const checks = ['format:check', 'lint', 'types', 'deadcode'];

// tsc and oxlint's checker of types, both in Go, have one thread each: several of one do much of the work twice, and the checks
// together fill the processors. Biome and knip do not read this.
const env = { ...process.env, GOMAXPROCS: '1' };

function check(name) {
  const child = spawn('npm', ['run', '--silent', name], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      console.log(`${code === 0 ? 'ok' : 'FAILED'}  npm run ${name}\n${said.trim()}\n`);
      resolve(code === 0);
    });
  });
}

const passed = await Promise.all(checks.map(check));
process.exitCode = passed.every(Boolean) ? 0 : 1;
