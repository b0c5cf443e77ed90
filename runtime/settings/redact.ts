const MASK = '•••';

/** A shorter secret would blank out half of every text, and protects nothing. */
const SHORTEST_SECRET = 4;

/**
 * What looks like a secret although nobody told us that it is one. Each rule keeps what names the secret, in group 1.
 * None nests quantifiers, so the time is linear in the text.
 */
const SHAPES: readonly RegExp[] = [
  // Authorization: <scheme> <credentials>, as a header line, as JSON and as JSON within JSON
  /((?:proxy-)?authorization\\?["']?\s*[:=]\s*\\?["']?(?:(?:bearer|basic|token|digest)\s+)?)[^\s"'\\,;]+/gi,
  /(\b(?:bearer|basic)\s+)[a-z0-9._~+/=-]{8,}/gi,
  // x-api-key, api_key, apikey, password, passwd, client_secret, access_token, set-cookie … with a value
  /((?:x-(?:goog-)?api-key|api[-_]?key|passw(?:or)?d|client[-_]?secret|(?:access|refresh|auth|id)[-_]?token|(?:set-)?cookie)\\?["']?\s*[:=]\s*\\?["']?)[^\s"'\\,;&]{4,}/gi,
  // ?token=… of our own console address, &key=… of Google's
  /([?&](?:token|key|secret|sig|signature)=)[^\s"'\\&#]+/gi,
  // user:password@ of a URL
  /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"'\\]*:)[^\s/@"'\\]+(?=@)/gi,
  /()\bsk-[A-Za-z0-9_-]{12,}/g,
  /()\bAIza[A-Za-z0-9_-]{20,}/g,
  /()\bxox[abeoprs]-[A-Za-z0-9-]{8,}/g,
  /()\bxapp-[A-Za-z0-9-]{8,}/g,
  /()\bgh[pousr]_[A-Za-z0-9]{16,}/g,
  /()\bgithub_pat_[A-Za-z0-9_]{16,}/g,
  /()\bglpat-[A-Za-z0-9_-]{16,}/g,
  /()\bhf_[A-Za-z0-9]{16,}/g,
  /()\bnpm_[A-Za-z0-9]{30,}/g,
  /()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  // JSON Web Token
  /()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+/g,
  /()-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+(?:-----END [A-Z ]*PRIVATE KEY-----)?/g,
];

/** What must be somewhere in a text for any of the shapes to match; most lines have none of it. */
const HINT =
  /authorization|bearer|basic|api|passw|secret|token|cookie|[?&](?:key|sig)|:\/\/[^\s/]*@|sk-|aiza|xox|xapp-|gh[pousr]_|github_|glpat-|hf_|npm_|akia|asia|eyj|private key/i;

/**
 * Makes a function that masks the given secrets, in the forms in which JSON and URLs write them, and whatever has the
 * shape of a key or password. Give it every text that leaves the process: log lines, events, error messages.
 */
export function createRedactor(secrets: readonly string[]): (text: string) => string {
  const known = [
    ...new Set(
      secrets
        .filter((secret) => secret.length >= SHORTEST_SECRET)
        .flatMap((secret) => [
          secret,
          JSON.stringify(secret).slice(1, -1),
          // Half of a surrogate pair has no form in a URL, and would throw.
          encodeURIComponent(secret.toWellFormed()),
        ]),
    ),
  ].sort((a, b) => b.length - a.length);
  const literal = known.length === 0 ? undefined : new RegExp(known.map(escaped).join('|'), 'g');

  return (text) => {
    let masked = literal === undefined ? text : text.replace(literal, MASK);
    if (HINT.test(masked)) {
      for (const shape of SHAPES) masked = masked.replace(shape, `$1${MASK}`);
    }
    return masked;
  };
}

/** A redactor that learns more secrets while it is in use. */
export function createLearningRedactor(secrets: readonly string[]): {
  redact: (text: string) => string;
  learn: (found: readonly string[]) => void;
} {
  const all = new Set(secrets);
  let redactKnown = createRedactor([...all]);
  return {
    redact: (text) => redactKnown(text),
    learn(found) {
      const before = all.size;
      for (const secret of found) all.add(secret);
      if (all.size > before) redactKnown = createRedactor([...all]);
    },
  };
}

/** `text` as a regular expression that matches exactly it. */
function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
