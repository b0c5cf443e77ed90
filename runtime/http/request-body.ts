import type { Clock } from '../base/clock.ts';
import { isCoded } from '../base/errors.ts';
import { fault } from '../contract/index.ts';
import { invalidRequest } from './problem.ts';

export interface BodyLimits {
  /** Bytes; counted as they come in, whatever `Content-Length` says. */
  maxBytes: number;
  /** How long all of it may take, so that nobody holds a request open by sending a byte a minute. */
  timeoutMs: number;
  clock: Clock;
}

/**
 * The JSON object in the body of a request, as text and parsed; undefined when the body is empty. `fields` are those that
 * it may have: whatever else is there is named, because a misspelt field that is silently ignored is worse than an error.
 * Rejects with `request.too_large`, `request.timeout`, `request.unsupported_media_type`, `request.malformed_json` or
 * `request.invalid`.
 */
export async function readJsonObject(
  request: Request,
  fields: ReadonlySet<string>,
  limits: BodyLimits,
): Promise<string | undefined> {
  const bytes = await readBytes(request, limits);
  if (bytes.byteLength === 0) return undefined;
  checkMediaType(request.headers.get('content-type'));
  let text: string;
  let parsed: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    parsed = JSON.parse(text, refusePrototype);
  } catch (error) {
    if (isCoded(error)) throw error;
    throw fault('request.malformed_json', 'The body is not valid JSON in UTF-8.');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalidRequest([{ path: '', message: 'The body must be a JSON object' }]);
  }
  const unknown = Object.keys(parsed).filter((key) => !fields.has(key));
  if (unknown.length > 0) {
    const known = fields.size === 0 ? 'there are none' : `known are ${[...fields].join(', ')}`;
    throw invalidRequest(
      unknown.slice(0, 20).map((path) => ({ path: path.slice(0, 100), message: `unknown field; ${known}` })),
    );
  }
  return text;
}

/** Schemas leave such a field out of a record without a word, so that what was asked for would be half done. */
function refusePrototype(key: string, value: unknown): unknown {
  if (key === '__proto__')
    throw invalidRequest([{ path: key, message: 'unknown field; nothing is called that' }]);
  return value;
}

async function readBytes(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array();
  if (Number(request.headers.get('content-length') ?? 0) > limits.maxBytes) throw tooLarge(limits.maxBytes);
  const reader = request.body.getReader();
  const late = Promise.withResolvers<never>();
  const timer = limits.clock.after(limits.timeoutMs, () =>
    late.reject(
      fault('request.timeout', `The body was not there after ${Math.round(limits.timeoutMs / 1000)} s.`),
    ),
  );
  try {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late.promise]);
      if (done) break;
      size += value.byteLength;
      if (size > limits.maxBytes) throw tooLarge(limits.maxBytes);
      chunks.push(value);
    }
    return Buffer.concat(chunks, size);
  } catch (error) {
    reader.cancel(error).catch(() => undefined);
    throw error;
  } finally {
    timer.cancel();
  }
}

function checkMediaType(header: string | null): void {
  const [type = '', ...parameters] = (header ?? '').toLowerCase().split(';');
  const charset = parameters.map((parameter) => parameter.trim()).find((each) => each.startsWith('charset='));
  if (type.trim() === 'application/json' && /^(charset="?utf-?8"?)?$/.test(charset ?? '')) return;
  throw fault(
    'request.unsupported_media_type',
    header === null
      ? 'The body has no Content-Type; it must be application/json.'
      : `The body is ${header.slice(0, 100)}, but must be application/json in UTF-8.`,
  );
}

function tooLarge(maxBytes: number): Error {
  return fault('request.too_large', `The body is larger than ${maxBytes} bytes.`, { maxBytes });
}
