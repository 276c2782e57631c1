/** Extensions of the protocol that are here, by the names that Triton gave them. */
export const extensions = [
  'binary_tensor_data',
  'classification',
  'model_configuration',
  'model_repository',
  'parameters',
  'schedule_policy',
  'statistics',
] as const;

/** What Triton calls log settings, as they are here: read by every protocol, and set where the server is started. */
export const logSettings = {
  log_file: '',
  log_info: true,
  log_warning: true,
  log_error: true,
  log_verbose_level: 0,
  log_format: 'default',
} as const;

/** What Triton has for its own format, of which the level is what holds here. */
export const traceSettingsOf = (traced: boolean) => ({
  trace_level: [traced ? 'TIMESTAMPS' : 'OFF'],
  trace_rate: '1000',
  trace_count: '-1',
  log_frequency: '0',
  trace_file: '',
  trace_mode: 'opentelemetry',
});
