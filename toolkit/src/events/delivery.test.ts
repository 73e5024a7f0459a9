import { expect, test } from 'vitest'
import { delivery } from './delivery.ts'

const settling = (held = false) => {
  const settled: string[] = []
  const made = delivery({
    held,
    moveCursor: () => settled.push('cursor'),
    settleHeld: () => settled.push('held'),
    turn: () => Promise.resolve((committed) => settled.push(committed ? 'committed' : 'refused')),
  })
  // No step of a store: the frame is not looked at.
  const commit = async () => made.settlement.settle({} as never)
  return { made, settled, commit }
}

test('a step that has begun to wait for its turn is not set aside any more', async () => {
  const { made, settled, commit } = settling()
  const step = made.settlement.around(commit)
  // In the same turn of the event loop.
  expect(await made.setAside(() => Promise.resolve())).toBe(false)
  await step
  expect(settled).toEqual(['cursor', 'committed'])
  expect(made.held).toBe(false)
})

test('a step that begins while its message is being set aside settles the held row', async () => {
  const { made, settled, commit } = settling()
  let put: () => void = () => undefined
  const moved = made.setAside(() => new Promise((resolve) => (put = resolve)))
  const step = made.settlement.around(commit)
  put()
  expect(await moved).toBe(true)
  await step
  expect(settled).toEqual(['held'])
})

test('when setting aside fails, the step moves the cursor', async () => {
  const { made, settled, commit } = settling()
  const moved = made.setAside(() => Promise.reject(new Error('lost')))
  const step = made.settlement.around(commit)
  expect(await moved.catch((error: unknown) => error)).toBeInstanceOf(Error)
  await step
  expect(settled).toEqual(['cursor', 'committed'])
})
