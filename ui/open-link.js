/*
 * MLflow's clients print links of its own page, `/#/experiments/1/runs/<id>`. What follows the # never reaches a server, so
 * this opens the page here that shows the same thing.
 */
const prefix = /^\/projects\/[^/]+/.exec(location.pathname)?.[0] ?? '';
const plainName = /^[\w.-]*\w$/;

/** The page that shows what a fragment of MLflow's names; undefined when it names none. */
function pageOf(fragment) {
  const [path = '', query] = fragment.replace(/^#/, '').split('?');
  const asked = new URLSearchParams(query);
  const project = asked.get('workspace') ?? '';
  // a client that names its project by a header says it in the link alone
  const root = plainName.test(project) ? `/projects/${project}` : prefix;
  const trace = asked.get('selectedEvaluationId') ?? asked.get('selectedTraceId') ?? '';
  const page = pageBelow(path, asked.get('selectedRunUuid') ?? '', trace);
  return page === undefined ? undefined : root + page;
}

function pageBelow(path, selectedRun, selectedTrace) {
  const parts = path.split('/').filter((part) => part !== '');
  const [kind, id, below, inner] = parts;
  if (kind === 'experiments' && id === undefined) return '/ui/experiments';
  if (kind === 'experiments' && (below === 'runs' || below === 'models') && inner !== undefined)
    return `/ui/experiments/${id}/${below}/${inner}`;
  if (kind === 'experiments' && plainName.test(selectedRun)) return `/ui/experiments/${id}/runs/${selectedRun}`;
  if (kind === 'experiments' && /^tr-\w+$/.test(selectedTrace)) return `/ui/traces/${selectedTrace}`;
  if (kind === 'experiments' && below === 'traces') return `/ui/experiments/${id}/traces`;
  if (kind === 'experiments') return `/ui/experiments/${id}`;
  if (kind === 'models' && id === undefined) return '/ui/models';
  if (kind === 'models' && below === 'versions' && inner !== undefined) return `/ui/models/${id}/versions/${inner}`;
  if (kind === 'models') return `/ui/models/${id}`;
  if (kind === 'prompts') return id === undefined ? '/ui/prompts' : `/ui/prompts/${id}`;
  return undefined;
}

function follow() {
  const page = location.hash.startsWith('#/') ? pageOf(location.hash) : undefined;
  if (page !== undefined) location.replace(page);
}

addEventListener('hashchange', follow);
follow();
