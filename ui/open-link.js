/*
 * MLflow's clients print links of its own page, `/#/experiments/1/runs/<id>`. What follows the # never reaches a server, so
 * this opens the page here that shows the same thing.
 */
const root = /^\/projects\/[^/]+/.exec(location.pathname)?.[0] ?? '';

/** The page that shows what a fragment of MLflow's names; undefined when it names none. */
function pageOf(fragment) {
  const [path = ''] = fragment.replace(/^#/, '').split('?');
  const parts = path.split('/').filter((part) => part !== '');
  const [kind, id, below, inner] = parts;
  if (kind === 'experiments' && id === undefined) return '/ui/experiments';
  if (kind === 'experiments' && (below === 'runs' || below === 'models') && inner !== undefined)
    return `/ui/experiments/${id}/${below}/${inner}`;
  if (kind === 'experiments') return `/ui/experiments/${id}`;
  if (kind === 'models' && id === undefined) return '/ui/models';
  if (kind === 'models' && below === 'versions' && inner !== undefined) return `/ui/models/${id}/versions/${inner}`;
  if (kind === 'models' || (kind === 'prompts' && id !== undefined)) return `/ui/models/${id}`;
  return undefined;
}

function follow() {
  const page = location.hash.startsWith('#/') ? pageOf(location.hash) : undefined;
  if (page !== undefined) location.replace(root + page);
}

addEventListener('hashchange', follow);
follow();
