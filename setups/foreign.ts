import { foreignService, type ForeignService, type Settings } from 'serval/host'
import { acquirer, ChargeDeclined } from '../shop/acquirer/contract.ts'

/** A payment provider takes the place of the built-in one when its address is named. */
export const foreignOf = (settings: Settings): readonly ForeignService[] => {
  const setting = 'SERVAL_ACQUIRER_URL'
  const address = settings.text(setting, '')
  const key = settings.text('SERVAL_ACQUIRER_KEY', '')
  const headers = key === '' ? {} : { authorization: `Bearer ${key}` }
  const problems = { 402: ChargeDeclined }
  return address === '' ? [] : [foreignService(acquirer, { address, setting, headers, problems })]
}
