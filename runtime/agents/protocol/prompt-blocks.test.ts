import { describe, expect, it } from 'vitest';
import { promptBlocks } from './prompt-blocks.ts';

const NOTHING = { image: false, audio: false, embeddedContext: false };
const EVERYTHING = { image: true, audio: true, embeddedContext: true };

const file = (name: string, mimeType: string, content: string | number[]) => ({
  name,
  mimeType,
  bytes: typeof content === 'string' ? new TextEncoder().encode(content) : Uint8Array.from(content),
});

const IMAGE = file('a.png', 'image/png', [0x89, 0x50, 0x00]);
const AUDIO = file('a.wav', 'audio/wav', [0xff, 0x00]);
const BINARY = file('a b.bin', 'application/octet-stream', [0, 1, 2]);
const TEXT = file('a.md', 'text/markdown', 'Grüße');

/** The block of the attachment. */
const block = (...parameters: [ReturnType<typeof file>, typeof NOTHING]) =>
  promptBlocks('go', [parameters[0]], parameters[1])[1];

describe('a prompt', () => {
  it('is its text, and then the attachments in their order', () => {
    expect(promptBlocks('go', [], NOTHING)).toEqual([{ type: 'text', text: 'go' }]);
    expect(promptBlocks('go', [TEXT, IMAGE], EVERYTHING).map(({ type }) => type)).toEqual([
      'text',
      'resource',
      'image',
    ]);
  });

  it('has images, audio and files for an agent that takes them', () => {
    expect(block(IMAGE, EVERYTHING)).toEqual({ type: 'image', mimeType: 'image/png', data: 'iVAA' });
    expect(block(AUDIO, EVERYTHING)).toEqual({ type: 'audio', mimeType: 'audio/wav', data: '/wA=' });
    expect(block(TEXT, EVERYTHING)).toEqual({
      type: 'resource',
      resource: { uri: 'attachment:///a.md', mimeType: 'text/markdown', text: 'Grüße' },
    });
    expect(block(BINARY, EVERYTHING)).toEqual({
      type: 'resource',
      resource: { uri: 'attachment:///a%20b.bin', mimeType: 'application/octet-stream', blob: 'AAEC' },
    });
  });

  it('has a file of text written out for an agent that takes nothing but text', () => {
    expect(block(TEXT, NOTHING)).toEqual({
      type: 'text',
      text: '\n\nAttached file “a.md”:\n```\nGrüße\n```\n',
    });
    // A drawing that is text goes as text where no images are taken.
    const drawing = file('a.svg', 'image/svg+xml', '<svg/>');
    expect(block(drawing, NOTHING)).toMatchObject({ type: 'text' });
    expect(block(drawing, EVERYTHING)).toMatchObject({ type: 'image' });
  });

  it('has a fence that the file cannot close', () => {
    expect(block(file('x', 'text/plain', 'a\n````\nb\n'), NOTHING)?.text).toContain(
      '\n`````\na\n````\nb\n`````\n',
    );
  });

  it.each([
    [IMAGE, NOTHING, 'text files only'],
    [AUDIO, { ...NOTHING, image: true }, 'text files and images'],
    [BINARY, { ...NOTHING, image: true, audio: true }, 'text files, images and audio'],
    [IMAGE, { ...EVERYTHING, image: false }, 'text files, audio and other files'],
    [file('latin', 'text/plain', [0xe4]), NOTHING, 'text files only'],
  ])('is refused with what the agent takes: %j', (attachment, takes, words) => {
    expect(() => promptBlocks('go', [attachment], takes)).toThrow(
      expect.objectContaining({
        code: 'session.attachment_unsupported',
        message: `The agent does not take “${attachment.name}” (${attachment.mimeType}). It takes ${words}.`,
      }),
    );
  });
});
