import { isLoopback } from './loopback.ts';
import type { Settings } from './settings.ts';

/** What the user should know about the safety of these settings, for the log at start and for the console. */
export function securityWarnings(
  settings: Pick<Settings, 'bindAddress' | 'auth' | 'trustedProxies' | 'enableCors'>,
): { code: string; message: string }[] {
  const warnings: { code: string; message: string }[] = [];
  if (!isLoopback(settings.bindAddress)) {
    warnings.push({
      code: 'security.reachable_by_others',
      message:
        `SECURITY: the ports are opened on ${settings.bindAddress}, so other machines can reach them. Whoever has the ` +
        'token can run agents here; what is sent, the token included, is not encrypted. Put a proxy with TLS before it, ' +
        'or set BIND_ADDRESS=127.0.0.1.',
    });
  }
  if (settings.auth === 'none') {
    warnings.push({
      code: 'security.no_authentication',
      message:
        'SECURITY: AUTH=none, so every program and every user of this machine can use the API and run agents. Remove AUTH to ' +
        'ask for the token again.',
    });
    if (settings.enableCors) {
      warnings.push({
        code: 'security.cors_without_authentication',
        message:
          'SECURITY: ENABLE_CORS with AUTH=none lets every web page that is served from this machine use the API.',
      });
    }
  }
  return warnings;
}
