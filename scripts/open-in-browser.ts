import { spawn } from 'node:child_process';

/** Opens an address in the desktop's browser. That it did not open is no error: the address is printed as well. */
export function openInBrowser(address: string): void {
  const [command, args] = {
    darwin: ['open', [address]] as const,
    win32: ['rundll32', ['url.dll,FileProtocolHandler', address]] as const,
  }[process.platform as string] ?? ['xdg-open', [address]];
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}
