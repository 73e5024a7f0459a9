import { readFileSync } from 'node:fs'

/** The numbers in a list as Linux writes it: `0-2,5`. */
export const numbersIn = (list: string): readonly number[] =>
  list.split(',').flatMap((part) => {
    const [from = NaN, to = from] = part.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, n) => from + n)
  })

/** The cores that this process may use. */
export const cores = (): readonly number[] => {
  const status = readFileSync('/proc/self/status', 'latin1')
  return numbersIn(/^Cpus_allowed_list:\s+(\S+)$/m.exec(status)?.[1] ?? '0')
}
