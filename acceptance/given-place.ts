import type { Place } from './world.ts'

/** A shop that was started elsewhere, instead of one of our own. */
export const givenPlace = (): Place | undefined => {
  const address = process.env['SERVAL_ACCEPTANCE_URL']
  const operator = process.env['SERVAL_ACCEPTANCE_OPERATOR_URL']
  const operatorKey = process.env['SERVAL_ACCEPTANCE_OPERATOR_KEY']
  if (address === undefined) return undefined
  if (operator === undefined || operatorKey === undefined)
    throw new Error(
      'beside SERVAL_ACCEPTANCE_URL, set SERVAL_ACCEPTANCE_OPERATOR_URL and SERVAL_ACCEPTANCE_OPERATOR_KEY',
    )
  return { address, operator, operatorKey }
}
