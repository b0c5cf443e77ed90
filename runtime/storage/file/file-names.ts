import { createHash } from 'node:crypto';

/**
 * Where each record lies, and how any id becomes a file name that Linux, macOS and Windows take alike and keep apart: what
 * is not a lower-case letter, a digit, `-` or `_` is written as `%` and two hexadecimal digits for each byte of its UTF-8.
 * Capitals are too, because a file system may not tell them from small ones, and so are dots, which mean something at the
 * ends of a name and divide it from the endings used here.
 */

/** Longer names are cut here and completed with a hash: names may have 255 bytes, and paths on Windows 260 characters. */
const LONGEST = 100;
const KEPT_OF_LONG = 60;

/** Windows has devices by these names in every folder, whatever the ending. */
const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])$/;

const SAFE = /^[a-z0-9_-]+$/;

export const DOCUMENT_ENDING = '.json';
export const LOG_ENDING = '.ndjson';

/** The name of a file or folder for an id, without its ending. Different ids have names that differ in more than case. */
export function fileName(id: string): string {
  const plain = id.length <= LONGEST && SAFE.test(id);
  const encoded = plain ? id : encode(id);
  if (encoded.length > LONGEST) {
    const hash = createHash('sha256').update(id).digest('hex').slice(0, 32);
    // Not in the middle of an escape. The ~ is in no other name.
    return `${encoded.slice(0, KEPT_OF_LONG).replace(/%[0-9A-F]?$/, '')}~${hash}`;
  }
  return RESERVED.test(encoded) ? escapeByte(encoded.charCodeAt(0)) + encoded.slice(1) : encoded;
}

/** The id that a name was made from; undefined when it was cut, or is no such name. */
export function idOfName(name: string): string | undefined {
  if (!/^(?:[a-z0-9_-]|%[0-9A-F]{2})+$/.test(name)) return undefined;
  try {
    const id = decodeURIComponent(name);
    return fileName(id) === name ? id : undefined;
  } catch {
    return undefined;
  }
}

/** The file of a document, relative to the folder of its generation; with `/` on every system. */
export function documentPath(collection: string, id: string): string {
  const name = fileName(id);
  return collection === 'sessions'
    ? `sessions/${name}/session${DOCUMENT_ENDING}`
    : `${fileName(collection)}/${name}${DOCUMENT_ENDING}`;
}

/** The file of a log, relative to the folder of its generation. */
export function logPath(log: string): string {
  const slash = log.indexOf('/');
  if (slash < 0) return fileName(log) + LOG_ENDING;
  const family = log.slice(0, slash);
  const key = fileName(log.slice(slash + 1));
  return family === 'messages'
    ? `sessions/${key}/messages${LOG_ENDING}`
    : `${fileName(family)}/${key}${LOG_ENDING}`;
}

/** How a record is called whose file cannot tell: by its path, as far as that leads back to an id. */
export function recordOfPath(path: string): string {
  const parts = path.replace(/\.(?:json|ndjson)$/, '').split('/');
  const [first = '', second, third] = parts.map((part) => idOfName(part) ?? part);
  if (path.endsWith(LOG_ENDING)) {
    if (first === 'sessions' && third === 'messages') return `log messages/${second}`;
    return `log ${second === undefined ? first : `${first}/${second}`}`;
  }
  return `document ${first}/${second ?? ''}`;
}

function encode(id: string): string {
  let name = '';
  for (const byte of Buffer.from(id)) {
    const character = String.fromCharCode(byte);
    name += SAFE.test(character) ? character : escapeByte(byte);
  }
  return name;
}

function escapeByte(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}
