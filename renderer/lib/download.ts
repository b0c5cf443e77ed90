/** A blob's address is let go after this time: browsers read it a moment after the click. */
const RELEASE_AFTER_MS = 60_000;

/** Saves a text as a file, where the browser saves downloads. */
export function downloadText(file: { fileName: string; mediaType: string; text: string }): void {
  const url = URL.createObjectURL(new Blob([file.text], { type: `${file.mediaType};charset=utf-8` }));
  const link = document.createElement('a');
  link.href = url;
  link.download = file.fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), RELEASE_AFTER_MS);
}
