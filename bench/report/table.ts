import { measures } from '../samples.ts'
import type { Comparison } from '../statistics.ts'
import { figureText, ratioText, reached } from './numbers.ts'

/** What a person reads on a terminal when the run is over. */
export const table = (comparisons: readonly Comparison[]): string =>
  comparisons
    .map(({ measure, figures, ratios }) => {
      const rows = figures.map((figure) => {
        const { contender } = figure
        const ratio = ratios.find((one) => one.contender.id === contender.id)
        const mark = ratios.some(({ against }) => against.id === contender.id)
          ? '  ← compared with'
          : ''
        const verdict = ratio === undefined ? mark : `  ${verdictText(measure, ratio)}`
        return `  ${contender.id.padEnd(28)}${figureText(measure, figure).padEnd(34)}${verdict}`
      })
      return [measures[measure].title, ...rows.map((row) => row.trimEnd())].join('\n')
    })
    .join('\n\n')

const verdictText = (
  measure: Comparison['measure'],
  ratio: Comparison['ratios'][number],
): string => {
  const met = reached(measure, ratio)
  const goal = met === undefined ? '' : `  ${met ? '✓' : '✗'} goal ${measures[measure].goal} ×`
  return ratioText(ratio) + goal
}
