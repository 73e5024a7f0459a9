import { measures, type ContenderInfo, type MeasureId, type Sample } from './samples.ts'

export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

export const spreadOf = (values: readonly number[]): Spread => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low = NaN, high = NaN] = [sorted[(sorted.length - 1) >> 1], sorted[middle]]
  return { median: (low + high) / 2, least: sorted[0] ?? NaN, most: sorted.at(-1) ?? NaN }
}

export interface Figure extends Spread {
  readonly contender: ContenderInfo
}

export interface Ratio extends Spread {
  readonly contender: ContenderInfo
  /** The best of theirs. */
  readonly against: ContenderInfo
}

export interface Comparison {
  readonly measure: MeasureId
  /** In the contenders' order; those that were not measured are missing. */
  readonly figures: readonly Figure[]
  /** How many times as good ours are: above 1 ours are better, whatever `better` is. */
  readonly ratios: readonly Ratio[]
}

const valuesOf = (samples: readonly Sample[], measure: MeasureId, contender: string) =>
  new Map(
    samples
      .filter((sample) => sample.measure === measure && sample.contender === contender)
      .map(({ round, value }) => [round, value]),
  )

/** The figures of a measure, and ratios from rounds that stood side by side; undefined when nobody was measured. */
export const compare = (
  measure: MeasureId,
  contenders: readonly ContenderInfo[],
  samples: readonly Sample[],
): Comparison | undefined => {
  const { better, compared } = measures[measure]
  const values = new Map(contenders.map(({ id }) => [id, valuesOf(samples, measure, id)]))
  const figures = contenders.flatMap((contender) => {
    const own = [...(values.get(contender.id)?.values() ?? [])]
    return own.length === 0 ? [] : [{ contender, ...spreadOf(own) }]
  })
  if (figures.length === 0) return undefined
  const candidates = figures.filter(({ contender }) => contender.apart !== true)
  const bestOfTheirs = (group: string | undefined) =>
    candidates
      .filter(({ contender }) => contender.side === 'theirs' && contender.group === group)
      .toSorted((a, b) => (better === 'more' ? b.median - a.median : a.median - b.median))[0]

  const ratios = candidates.flatMap(({ contender }) => {
    const against = bestOfTheirs(contender.group)?.contender
    if (contender.side !== 'ours' || against === undefined || compared === false) return []
    const others = values.get(against.id)
    const beside = [...(values.get(contender.id) ?? [])].flatMap(([round, value]) => {
      const other = others?.get(round)
      if (other === undefined) return []
      return [better === 'more' ? value / other : other / value]
    })
    return beside.length === 0 ? [] : [{ contender, against, ...spreadOf(beside) }]
  })
  return { measure, figures, ratios }
}

export const comparisons = (
  contenders: readonly ContenderInfo[],
  samples: readonly Sample[],
): readonly Comparison[] =>
  // Object.keys forgets that these are the measures' own names.
  (Object.keys(measures) as MeasureId[]).flatMap((measure) => {
    const found = compare(measure, contenders, samples)
    return found === undefined ? [] : [found]
  })
