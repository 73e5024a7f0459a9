import { expect, test } from 'vitest'
import { done, newTask } from './task.ts'

test('a task is done when it was done first', () => {
  const open = newTask('t1', 'Feed the cat', 1_000)
  const first = done(open, 2_000)
  expect(first.doneAt).toBe(2_000)
  expect(done(first, 3_000)).toBe(first)
})
