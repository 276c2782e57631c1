const maxLength = 1000;

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isMessage = (value: unknown): value is Json => isObject(value) && 'role' in value && 'content' in value;

/** The messages of a chat, in the forms in which requests and answers of the usual APIs hold them. */
function messagesOf(value: unknown): readonly Json[] {
  if (Array.isArray(value)) return value.filter(isMessage);
  if (!isObject(value)) return [];
  const { messages, choices, input, output, request } = value;
  if (Array.isArray(messages)) return messages.filter(isMessage);
  if (Array.isArray(choices)) {
    const message: unknown = isObject(choices[0]) ? choices[0]['message'] : undefined;
    return isMessage(message) ? [message] : [];
  }
  for (const list of [input, output]) if (Array.isArray(list)) return list.filter(isMessage);
  return isObject(request) && !('request' in request) ? messagesOf(request) : [];
}

function contentOf(message: Json | undefined): string | undefined {
  const content = message?.['content'];
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return undefined;
  for (const part of content) {
    if (typeof part === 'string') return part;
    if (isObject(part) && typeof part['text'] === 'string' && /^(?:output_)?text$/.test(String(part['type'])))
      return part['text'];
  }
  return undefined;
}

/** What a list shows of inputs or outputs: the last words of that side of a chat, else the beginning of the JSON. */
export function toPreview(value: unknown, role: 'user' | 'assistant'): string {
  const messages = messagesOf(value);
  const spoken = contentOf(messages.findLast((message) => message['role'] === role) ?? messages.at(-1));
  const text = spoken || (typeof value === 'string' ? value : JSON.stringify(value)) || '';
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 3)}...`;
}
