/** A pattern over paths. */
export interface Glob {
  readonly matches: (path: string) => boolean;
}

/**
 * A glob over paths with `/`: `*` within a part, `**` over parts, `?` one character. Anchored at both ends. Matching takes
 * the length of the glob times that of the path at most: a regular expression of many wild cards, which anybody may send
 * who may read a project, would go back over them without end.
 */
export function parseGlob(glob: string): Glob {
  const found = glob.replace(/^\.\//, '').match(/\*\*\/|\*\*|[\s\S]/g) ?? [];
  // a wild card twice says no more than once
  const tokens = found.filter((token, at) => !isWild(token) || token !== found[at - 1]);
  return { matches: (path) => matchTokens(tokens, path) };
}

/** Walks along the path with all places in the pattern at once that what was read may have led to. */
function matchTokens(tokens: readonly string[], path: string): boolean {
  let places = new Set<number>();
  enter(tokens, 0, places);
  for (let at = 0; at < path.length && places.size > 0; at += 1) {
    const next = new Set<number>();
    for (const place of places) advance(tokens, place, path[at] ?? '', next);
    places = next;
  }
  return places.has(tokens.length);
}

/** A wild card may stand for nothing, so what comes after it is a place too. */
function enter(tokens: readonly string[], place: number, places: Set<number>): void {
  let at = place;
  places.add(at);
  while (isWild(tokens[at])) {
    at += 1;
    places.add(at);
  }
}

const isWild = (token: string | undefined): boolean => token === '*' || token === '**' || token === '**/';

function advance(tokens: readonly string[], place: number, character: string, places: Set<number>): void {
  const token = tokens[place];
  if (token === '**/') {
    places.add(place);
    if (character === '/') enter(tokens, place + 1, places);
  } else if (token === '**' || (token === '*' && character !== '/')) enter(tokens, place, places);
  else if (token === character || (token === '?' && character !== '/')) enter(tokens, place + 1, places);
}
