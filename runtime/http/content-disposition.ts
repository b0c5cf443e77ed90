/** An attachment with a name that no header and no file system can stumble over, and the real one beside it (RFC 6266). */
export function contentDisposition(fileName: string, fallback: string): string {
  const safe = fileName.replace(/[^A-Za-z0-9._-]+/g, '_').replace(/^\.+/, '') || fallback;
  const exact = encodeURIComponent(fileName.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${safe}"; filename*=UTF-8''${exact}`;
}
