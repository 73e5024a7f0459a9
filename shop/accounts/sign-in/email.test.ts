import { expect, test } from 'vitest'
import { normalizeEmail } from './email.ts'

test('addresses are compared without blanks around them and without case', () => {
  expect(normalizeEmail(' Ada@Example.ORG\t')).toBe('ada@example.org')
})
