import { safeStorage } from 'electron';
import type { SecretProtection } from '../runtime/index.ts';

/**
 * Encrypts by the keychain of the system. Undefined where there is none: on a Linux without a keyring Electron would
 * encrypt with a password that everybody knows, which only looks like protection. Call it once the app is ready.
 */
export function systemProtection(): SecretProtection | undefined {
  if (!safeStorage.isEncryptionAvailable()) return undefined;
  if (process.platform === 'linux' && safeStorage.getSelectedStorageBackend() === 'basic_text') {
    return undefined;
  }
  return {
    encrypt: (text) => safeStorage.encryptString(text),
    decrypt: (encrypted) => safeStorage.decryptString(encrypted),
  };
}
