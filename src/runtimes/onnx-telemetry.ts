/**
 * From 1.29 on onnxruntime reports its use to Microsoft, with an id that it keeps in the user's cache folder, unless it is told
 * not to before its library is loaded. It asks the process, of whose environment a worker thread has a copy: the main
 * thread says it before it starts one.
 */
export function silenceOnnxruntime(): void {
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
}
