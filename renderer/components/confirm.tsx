import { Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import type { ReactNode } from 'react';

/**
 * Asks before something that cannot be taken back lightly. Resolves to whether the user agreed; closing is a no.
 * - `question` names the object: "Delete the session “Release notes”?"
 * - `action` is the button, a verb and the object: "Delete session"
 */
export function confirm(request: {
  question: string;
  body: ReactNode;
  action: string;
  cancel?: string;
  danger?: boolean;
}): Promise<boolean> {
  return new Promise((resolve) => {
    modals.openConfirmModal({
      title: request.question,
      children:
        typeof request.body === 'string' ? (
          <Text size="sm" component="div">
            {request.body}
          </Text>
        ) : (
          request.body
        ),
      labels: { confirm: request.action, cancel: request.cancel ?? 'Cancel' },
      confirmProps: request.danger ? { color: 'red' } : {},
      // The focus starts on the safe button, so that Enter by habit destroys nothing.
      cancelProps: { 'data-autofocus': true },
      onConfirm: () => resolve(true),
      // Also called after `onConfirm`; a promise settles once.
      onClose: () => resolve(false),
    });
  });
}
