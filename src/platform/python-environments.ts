/** Reproducible Python environments from a requirements file, one a digest, built by uv. */
export { type FindPythonOptions, findPython, type PythonInterpreter } from './python/find-python.ts';
export {
  createPythonEnvironments,
  type EnvironmentRequest,
  normaliseRequirements,
  type PythonEnvironment,
  type PythonEnvironments,
  type PythonEnvironmentsOptions,
} from './python/python-environments.ts';
export { pythonErrors } from './python/python-errors.ts';
