import type { MailKind } from '../accounts/contract.ts'
import type { Rendered } from './render.ts'

/** What a mail about an account is about. */
export interface AccountOccasion {
  readonly kind: MailKind
  readonly link: string | undefined
}

const words: Readonly<
  Record<MailKind, { readonly subject: string; readonly paragraphs: readonly string[] }>
> = {
  'email-verification': {
    subject: 'Confirm your e-mail address',
    paragraphs: [
      'Somebody, we hope you, opened an account at the shop with this e-mail address. To confirm that it is yours, open this page within three days:',
      'If it was not you, there is nothing to do.',
    ],
  },
  'password-reset': {
    subject: 'Choose a new password',
    paragraphs: [
      'You asked for a new password. To choose one, open this page within an hour:',
      'If it was not you who asked, there is nothing to do: your password is as it was.',
    ],
  },
  'password-changed': {
    subject: 'Your password was changed',
    paragraphs: [
      'The password of your account was changed just now.',
      'If it was not you, ask for a new password on the sign-in page: that ends all sessions.',
    ],
  },
}

/**
 * The mail's words. No name is in it: whoever opens an account under a stranger's address would choose what the shop writes
 * to that stranger.
 */
export const renderAccount = ({ kind, link }: AccountOccasion): Rendered => {
  const { subject, paragraphs } = words[kind]
  const [first = '', ...rest] = paragraphs
  const parts = ['Hello,', first, ...(link === undefined ? [] : [link]), ...rest]
  return { subject, text: `${[...parts, 'Kind regards,\nThe shop'].join('\n\n')}\n` }
}
