/** What a program needs to find itself, its user, its language and the network; nothing that could be a secret of ours. */
const passed = new Set(
  'PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TEMP TMP SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE LD_LIBRARY_PATH NVIDIA_VISIBLE_DEVICES CUDA_VISIBLE_DEVICES HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy'.split(
    ' ',
  ),
);

/** The environment for a child: the allowed part of ours, then what the caller adds. */
export function scrubEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  added: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment))
    if (value !== undefined && (passed.has(name) || name.startsWith('LC_'))) kept[name] = value;
  return { ...kept, ...added };
}
