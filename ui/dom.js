/** Makes an element. Text is always text: nothing that a server says is parsed as HTML. */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : String(value));
  }
  for (const child of children.flat()) if (child !== undefined && child !== false) node.append(child);
  return node;
}

/** A word with a dot beside it; the word says what the colour says. */
export function badge(text, tone = 'quiet') {
  return element('span', { class: `badge ${tone}` }, text);
}

/** An instant, read out whole and shown short. */
export function instant(text, shown) {
  return element('time', { datetime: text, title: text }, shown);
}
