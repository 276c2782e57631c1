import { defineErrors } from '../errors.ts';

const howToInstall = 'install Python 3.11 or newer ("apt install python3 python3-venv", "brew install python")';

export const pythonErrors = defineErrors({
  PYTHON_NOT_FOUND: {
    kind: 'unavailable',
    message: (looked: string) => `no Python interpreter was found (looked for ${looked}): ${howToInstall}`,
    help: 'Tidemill itself runs without Python; steps written in Python need it.',
  },
  PYTHON_TOO_OLD: {
    kind: 'unavailable',
    message: (path: string, version: string) =>
      `${path} is Python ${version}, and 3.11 or newer is needed: ${howToInstall}, or name another with TIDEMILL_PYTHON`,
  },
  PYTHON_ENVIRONMENT_FAILED: {
    kind: 'invalid',
    message: (step: string, lastLines: readonly string[], remedy: string) =>
      `${step} failed: ${remedy}\n${lastLines.map((line) => `  ${line}`).join('\n')}`,
    help: 'The last lines are the tool’s own. Correct the requirements file, or the network or mirror settings, and run again.',
  },
});
