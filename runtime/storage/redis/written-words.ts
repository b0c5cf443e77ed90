import { Command } from 'ioredis';

/**
 * Words of a command as they go over the wire. To count the bytes of a text takes longer than to copy it, and the client
 * library counts those of every word; here whoever knows them says so.
 */
export class WrittenWords {
  count = 0;
  text = '';

  /** `bytes`: how many the word has in UTF-8. A wrong count would have the server take everything behind it for something else. */
  add(word: string, bytes = Buffer.byteLength(word)): void {
    this.count += 1;
    this.text += `$${bytes}\r\n${word}\r\n`;
  }

  /** A word of which it is certain that each character is one byte. */
  addAscii(word: string): void {
    this.add(word, word.length);
  }

  addAll({ count, text }: WrittenWords): void {
    this.count += count;
    this.text += text;
  }
}

/** A script with arguments that are written already: `name` is `evalsha` or `eval`, `program` its hash or the script itself. */
export class WrittenCommand extends Command {
  readonly #text: string;

  /** `keys`: how many there are, then each. */
  constructor(name: 'evalsha' | 'eval', program: string, keys: readonly string[], args: WrittenWords) {
    // The client tells by these which node of a cluster has the keys.
    super(name, [program, ...keys], { replyEncoding: 'utf8' });
    const words = new WrittenWords();
    words.addAscii(name);
    words.add(program);
    for (const key of keys) words.add(key);
    words.addAll(args);
    this.#text = `*${words.count}\r\n${words.text}`;
  }

  override toWritable(): string {
    return this.#text;
  }
}
