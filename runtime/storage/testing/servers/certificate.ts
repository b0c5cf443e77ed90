import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Certificate {
  /** Files, PEM. */
  certificateFile: string;
  keyFile: string;
  /** The certificate itself, PEM: a client that is to trust it takes it as its authority. */
  certificate: string;
}

/** Makes a certificate for `localhost` and 127.0.0.1 that nobody has signed but itself; takes `openssl`. */
export async function makeCertificate(folder: string): Promise<Certificate> {
  const certificateFile = join(folder, 'server.crt');
  const keyFile = join(folder, 'server.key');
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
    ...['-keyout', keyFile, '-out', certificateFile],
  ]);
  return { certificateFile, keyFile, certificate: await readFile(certificateFile, 'utf8') };
}
