// node tools/bundle.mjs    after tsc: gathers each program of `dist` and the packages that it loads into a few files in
// `dist/program`. Node.js finds, reads and links some 1,300 modules one by one otherwise, which was two thirds of a start.
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const folder = at('dist/program');

/** These find files of their own beside themselves. */
const native = /^(?:better-sqlite3|@duckdb\/node-api|onnxruntime-node)(?:\/|$)/;
/** Loaded by what few users do, or never (gRPC's own diagnostics, which are off), so not worth a byte here. */
const rare = /^(?:pg|@aws-sdk\/[^/]+|@grpc\/proto-loader)(?:\/|$)/;

const build = await rolldown({
  cwd: at('.'),
  input: {
    tidemill: at('dist/cli/main.js'),
    serving: at('dist/serving/main.js'),
    worker: at('dist/worker/main.js'),
    launcher: at('dist/platform/processes/launcher.js'),
    'onnx-thread': at('dist/runtimes/onnx-thread.js'),
  },
  platform: 'node',
  external: [native, rare],
  logLevel: 'warn',
});
rmSync(folder, { recursive: true, force: true });
await build.write({
  dir: folder,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
  minify: false, // stacks stay readable
  comments: { jsdoc: false }, // a fifth of what a start reads; licences stay
});
await build.close();
