/**
 * What the console may load and who may embed it. Scripts only from our own files, none inline. Styles also inline,
 * because Mantine positions popovers, sliders and virtual rows by `style` attributes, which no nonce or hash can allow;
 * without scripts and without foreign addresses an injected style cannot send anything away.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  // The sounds of an agent lie in its answer, as its pictures do.
  'media-src data:',
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** For every answer, of the API too: a JSON body that a browser is tricked into showing must be as harmless as a page. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // The address may have carried the token a moment ago.
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};
