import { failure } from 'serval'
import { z } from 'zod'
import { Sku } from './contract.ts'

const Cursor = z.strictObject({ after: Sku })

/** A list goes on after this SKU. Opaque to clients. SKUs are ASCII: all that btoa takes. */
export const cursorAfter = (sku: string): string =>
  btoa(JSON.stringify({ after: sku }))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

const parsed = (cursor: string): unknown => {
  try {
    return JSON.parse(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')))
  } catch {
    return undefined
  }
}

/** The SKU after which to go on. Refuses whatever `cursorAfter` did not make. */
export const skuBefore = (cursor: string): string => {
  const read = Cursor.safeParse(parsed(cursor))
  if (read.success && cursorAfter(read.data.after) === cursor) return read.data.after
  const message = 'This is not a cursor that a list answered with'
  throw failure('invalid-input', `/cursor: ${message}`, {
    data: { errors: [{ pointer: '/cursor', message }] },
  })
}
