import { measures, type MeasureId } from '../samples.ts'
import type { Spread } from '../statistics.ts'

const format = (value: number, digits: number): string =>
  value.toLocaleString('en-GB', { minimumFractionDigits: digits, maximumFractionDigits: digits })

/** `2,012 /s (1,954–2,090)`: the median, and between which values the rounds were. */
export const figureText = (measure: MeasureId, { median, least, most }: Spread): string => {
  const { digits, unit } = measures[measure]
  return `${format(median, digits)} ${unit} (${format(least, digits)}–${format(most, digits)})`
}

/** `1.35 × (1.21–1.40)` */
export const ratioText = ({ median, least, most }: Spread): string =>
  `${format(median, 2)} × (${format(least, 2)}–${format(most, 2)})`

/** Undefined where nothing is aimed at. */
export const reached = (measure: MeasureId, { median }: Spread): boolean | undefined => {
  const { goal } = measures[measure]
  return goal === undefined ? undefined : median >= goal
}
