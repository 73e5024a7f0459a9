import { expect, test } from 'vitest'
import { renderAccount } from './render-account.ts'

const link = 'https://shop.test/reset#token=0197.mac'

test('a mail with a link has it on a line of its own', () => {
  const { subject, text } = renderAccount({ kind: 'password-reset', link })
  expect(subject).toBe('Choose a new password')
  expect(text.split('\n')).toContain(link)
  expect(subject).not.toContain('token')
  expect(renderAccount({ kind: 'email-verification', link }).text.split('\n')).toContain(link)
})

test('a mail that only tells has none', () => {
  expect(renderAccount({ kind: 'password-changed', link: undefined })).toEqual({
    subject: 'Your password was changed',
    text: `Hello,

The password of your account was changed just now.

If it was not you, ask for a new password on the sign-in page: that ends all sessions.

Kind regards,
The shop
`,
  })
})
