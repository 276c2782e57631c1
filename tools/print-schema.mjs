// Prints schema/tidemill.schema.json, which editors complete tidemill.yaml by, from the built code (npm run build first).
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const { printJsonSchema } = await import('../dist/modules/workspace/document-schema.js');
const folder = fileURLToPath(new URL('../schema', import.meta.url));
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/tidemill.schema.json`, `${JSON.stringify(printJsonSchema(), undefined, 2)}\n`);
