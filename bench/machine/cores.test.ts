import { expect, test } from 'vitest'
import { numbersIn } from './cores.ts'

test.each([
  ['0', [0]],
  ['0-1', [0, 1]],
  ['0-2,5,8-9', [0, 1, 2, 5, 8, 9]],
])('the list %s is the cores %j', (list, numbers) => {
  expect(numbersIn(list)).toEqual(numbers)
})
