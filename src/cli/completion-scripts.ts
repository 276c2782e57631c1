/**
 * What each shell needs to ask `tidemill complete -- <words up to the cursor>`, which answers lines of
 * `value<TAB>description`. Words are passed as they are, never evaluated; without an answer the shell completes files.
 */
export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

export const completionScripts: Readonly<Record<Shell, string>> = {
  bash: `# bash completion for tidemill
_tidemill() {
  local value about
  COMPREPLY=()
  while IFS=$'\\t' read -r value about; do
    COMPREPLY+=("$value")
  done < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _tidemill tidemill
`,
  zsh: `#compdef tidemill
_tidemill() {
  local value about
  local -a found
  while IFS=$'\\t' read -r value about; do
    found+=("\${value//:/\\\\:}\${about:+:$about}")
  done < <("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then _describe tidemill found; else _files; fi
}
if [ "\${funcstack[1]}" = _tidemill ]; then _tidemill "$@"; else compdef _tidemill tidemill; fi
`,
  fish: `# fish completion for tidemill
function __tidemill_complete
    set -l words (commandline -opc)
    $words[1] complete -- $words[2..] (commandline -ct) 2>/dev/null
end
complete -c tidemill -a '(__tidemill_complete)'
`,
};
