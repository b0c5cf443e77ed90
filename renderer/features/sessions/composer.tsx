import {
  ActionIcon,
  Alert,
  Anchor,
  Button,
  Code,
  CopyButton,
  FileButton,
  Group,
  Kbd,
  Pill,
  Stack,
  Text,
  Textarea,
  Tooltip,
} from '@mantine/core';
import { randomId } from '@mantine/hooks';
import { IconCheck, IconPaperclip, IconPlayerStop, IconSend, IconTerminal2 } from '@tabler/icons-react';
import {
  type ClipboardEvent,
  type KeyboardEvent,
  type Ref,
  useEffect,
  useImperativeHandle,
  useRef,
  useState,
} from 'react';
import { type AttachmentInput, MAX_PROMPT_BYTES } from '#contract';
import { ErrorCard } from '../../components/error-card.tsx';
import { formatBytes } from '../../lib/format.ts';
import type { AgentCommand } from './command-menu.ts';
import { CommandMenuView } from './command-menu-view.tsx';
import { keepDraft, promptSize, readDraft } from './drafts.ts';
import { addFiles, type NewAttachment, readAttachment } from './new-attachments.ts';
import { promptAsCurl } from './prompt-command.ts';
import { useCommandMenu } from './use-command-menu.ts';

export interface ComposerHandle {
  /** Puts the cursor into the message. */
  focus(): void;
  /** Puts a text into an empty composer; true when it did. */
  fill(text: string): boolean;
  /** Adds files that go with the message. */
  attach(files: readonly File[]): void;
}

export interface ComposerProps {
  ref: Ref<ComposerHandle>;
  sessionId: string;
  agentName: string;
  /** The agent answers: nothing can be sent now. */
  busy: boolean;
  /** It does not go on before the user has answered. */
  waitsForYou: boolean;
  /** Why nothing can be sent at all, such as an archived session; undefined when it can. */
  closed: string | undefined;
  /** What the user should know before sending, such as an agent that is stopped. */
  notice: string | undefined;
  /** The commands of the demo agent work here. */
  slashCommands: boolean;
  /** What the agent offers after a slash. */
  commands: readonly AgentCommand[];
  /** Resolves when the prompt is kept; rejects when it is not, and the text stays. */
  onSend: (message: string, attachments: AttachmentInput[]) => Promise<unknown>;
  onCancel: () => void;
  cancelling: boolean;
}

/** Where a message is written. What is not sent is kept through a reload and a failed send. */
export function Composer(props: ComposerProps) {
  const { ref, sessionId, busy, closed, onSend, onCancel } = props;
  const [text, setText] = useState(() => readDraft(sessionStorage, sessionId));
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<unknown>();
  const [attachments, setAttachments] = useState<NewAttachment[]>([]);
  const [refused, setRefused] = useState<string[]>([]);
  const input = useRef<HTMLTextAreaElement>(null);
  const resetFiles = useRef<() => void>(null);
  const size = promptSize(text);
  const reason = whyNot({ ...props, sending, empty: text.trim() === '', tooLarge: size.tooLarge });

  const note = busy
    ? props.waitsForYou
      ? 'The agent waits for your answer above.'
      : 'The agent is answering. Write on; send when it is done.'
    : size.tooLarge
      ? `Too long: ${formatBytes(size.bytes)} of at most ${formatBytes(MAX_PROMPT_BYTES)}`
      : size.near
        ? `${formatBytes(size.bytes)} of at most ${formatBytes(MAX_PROMPT_BYTES)}`
        : text.trim() === '' && attachments.length > 0
          ? 'Write what is to be done with the files.'
          : undefined;

  const change = (next: string) => {
    setText(next);
    keepDraft(sessionStorage, sessionId, next);
  };

  const attach = (files: readonly File[]) => {
    if (files.length === 0) return;
    const added = addFiles(attachments, files, randomId);
    setAttachments(added.attachments);
    setRefused(added.refused);
    // Else the same file could not be chosen a second time.
    resetFiles.current?.();
    input.current?.focus();
  };

  const menu = useCommandMenu(text, props.commands, change);

  useEffect(() => {
    // What was opened while the page was loading, the palette for one, keeps the focus: it is being typed into.
    if (document.querySelector('[role="dialog"]') === null) input.current?.focus();
  }, []);

  useImperativeHandle(ref, () => ({
    focus: () => input.current?.focus(),
    fill: (next) => {
      if (input.current === null || input.current.value !== '') return false;
      change(next);
      input.current.focus();
      return true;
    },
    attach,
  }));

  const send = async () => {
    if (reason !== undefined) return;
    setSending(true);
    setError(undefined);
    try {
      await onSend(text, await Promise.all(attachments.map(readAttachment)));
      setAttachments((current) => current.filter((each) => !attachments.includes(each)));
      setRefused([]);
      // What was typed while the prompt was on its way is the next draft.
      setText((current) => {
        const rest = current.startsWith(text) ? current.slice(text.length) : current;
        keepDraft(sessionStorage, sessionId, rest);
        return rest;
      });
    } catch (failure) {
      setError(failure);
    } finally {
      setSending(false);
      input.current?.focus();
    }
  };

  const onKeyDown = (event: KeyboardEvent) => {
    // Enter that ends the composition of a character is not a wish to send.
    if (event.nativeEvent.isComposing) return;
    if (menu.press(event.key)) {
      event.preventDefault();
      return;
    }
    if (event.key === 'Enter' && !event.shiftKey && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      void send();
    } else if (event.key === 'Escape' && busy) {
      event.preventDefault();
      onCancel();
    }
  };

  const onPaste = (event: ClipboardEvent) => {
    const files = [...event.clipboardData.files];
    if (files.length === 0) return;
    event.preventDefault();
    attach(files);
  };

  if (closed !== undefined) return <Alert variant="light" color="gray" title={closed} />;
  return (
    <Stack gap={6} component="section" aria-label="Composer">
      {error !== undefined && (
        <ErrorCard
          error={error}
          what="The message was not sent"
          actions={
            <Button variant="default" onClick={() => setError(undefined)}>
              Dismiss
            </Button>
          }
        />
      )}
      {props.notice !== undefined && (
        <Text size="sm" c="var(--tone-warning)">
          {props.notice}
        </Text>
      )}
      {refused.map((problem) => (
        <Text key={problem} size="sm" c="var(--tone-bad)">
          {problem}
        </Text>
      ))}
      {attachments.length > 0 && (
        <Pill.Group aria-label="Files that go with the message">
          {attachments.map(({ key, file }) => (
            <Pill
              key={key}
              withRemoveButton
              removeButtonProps={{ 'aria-label': `Do not send ${file.name}` }}
              onRemove={() => setAttachments((current) => current.filter((each) => each.key !== key))}
            >
              {file.name} · {formatBytes(file.size)}
            </Pill>
          ))}
        </Pill.Group>
      )}
      <Group align="end" gap="xs" wrap="nowrap">
        <FileButton multiple resetRef={resetFiles} onChange={attach}>
          {(button) => (
            <Tooltip label="Attach files (or paste, or drop them)">
              <ActionIcon {...button} variant="default" size={36} aria-label="Attach files">
                <IconPaperclip size={16} />
              </ActionIcon>
            </Tooltip>
          )}
        </FileButton>
        <CommandMenuView menu={menu}>
          <Textarea
            ref={input}
            flex={1}
            aria-label="Message"
            placeholder={`Message to ${props.agentName}`}
            value={text}
            onChange={(event) => change(event.currentTarget.value)}
            onKeyDown={onKeyDown}
            onPaste={onPaste}
            autosize
            minRows={2}
            maxRows={12}
            spellCheck
            error={size.tooLarge}
            aria-describedby="composer-note"
            aria-controls={menu.store.listId ?? undefined}
            aria-activedescendant={menu.activeId}
          />
        </CommandMenuView>
        {busy ? (
          <Button
            size="sm"
            color="red"
            variant="light"
            leftSection={<IconPlayerStop size={16} />}
            loading={props.cancelling}
            onClick={onCancel}
          >
            Cancel turn
          </Button>
        ) : (
          <Button
            size="sm"
            leftSection={<IconSend size={16} />}
            loading={sending}
            disabled={reason !== undefined && !sending}
            onClick={() => void send()}
          >
            Send
          </Button>
        )}
      </Group>
      <Group gap="md" justify="space-between" id="composer-note">
        <Group gap="xs">
          {note !== undefined && (
            <Text size="xs" c={size.tooLarge ? 'var(--tone-bad)' : 'dimmed'}>
              {note}
            </Text>
          )}
          <Text size="xs" c="dimmed" visibleFrom="sm">
            {busy ? (
              <>
                <Kbd>Esc</Kbd> cancels
              </>
            ) : (
              <>
                <Kbd>Enter</Kbd> sends, <Kbd>Shift Enter</Kbd> new line
              </>
            )}
          </Text>
          {props.slashCommands && text === '' && (
            <Text size="xs" c="dimmed">
              This is the demo agent: try{' '}
              <Anchor component="button" type="button" size="xs" onClick={() => change('/help')}>
                <Code>/help</Code>
              </Anchor>
            </Text>
          )}
        </Group>
        <CopyAsCurl sessionId={sessionId} message={text === '' ? 'hello' : text} />
      </Group>
    </Stack>
  );
}

function CopyAsCurl({ sessionId, message }: { sessionId: string; message: string }) {
  return (
    <CopyButton value={promptAsCurl(location.origin, sessionId, message)} timeout={1500}>
      {({ copied, copy }) => (
        <Button
          size="compact-xs"
          variant="subtle"
          color="gray"
          leftSection={copied ? <IconCheck size={14} /> : <IconTerminal2 size={14} />}
          onClick={copy}
        >
          {copied ? 'Copied' : 'Copy as cURL'}
        </Button>
      )}
    </CopyButton>
  );
}

function whyNot(state: {
  busy: boolean;
  sending: boolean;
  empty: boolean;
  tooLarge: boolean;
}): string | undefined {
  if (state.busy) return 'The agent is answering';
  if (state.sending) return 'The message is being sent';
  if (state.tooLarge) return 'The message is too long';
  if (state.empty) return 'The message is empty';
  return undefined;
}
