import { measures, type Results } from '../samples.ts'
import { comparisons } from '../statistics.ts'
import { ratioText, reached } from './numbers.ts'

/*
 * Bars of ratios on a logarithmic axis, so that twice as good and half as good are equally far from level. A whisker shows
 * between which values the rounds were, a line across a bar's row what is aimed at.
 */

const left = 400
const width = 560
const rowHeight = 22
const [least, most] = [1 / 16, 16]

const x = (ratio: number): number => {
  const part = Math.log(Math.min(most, Math.max(least, ratio)) / least) / Math.log(most / least)
  return left + part * width
}
const at = (value: number): string => value.toFixed(1)
const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`)

export const plot = (results: Results): string => {
  const rows = comparisons(results.contenders, results.samples).flatMap(({ measure, ratios }) =>
    ratios.map((ratio) => ({ measure, ratio })),
  )
  const height = 60 + rows.length * rowHeight
  const ticks = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16].map((tick) => {
    const label = tick < 1 ? `1/${1 / tick}` : `${tick}`
    const line = `<line x1="${at(x(tick))}" x2="${at(x(tick))}" y1="34" y2="${height - 16}" class="${tick === 1 ? 'level' : 'grid'}"/>`
    return `${line}<text x="${at(x(tick))}" y="28" text-anchor="middle">${label}</text>`
  })
  const bars = rows.map(({ measure, ratio }, n) => {
    const y = 40 + n * rowHeight
    const middle = y + rowHeight / 2 - 2
    const [from, to] = [x(1), x(ratio.median)].sort((a, b) => a - b) as [number, number]
    const goal = measures[measure].goal
    const met = reached(measure, ratio)
    const kind = met === undefined ? 'plain' : met ? 'met' : 'missed'
    return [
      `<text x="${left - 10}" y="${middle + 4}" text-anchor="end">${escaped(measures[measure].title)}, <tspan class="who">${escaped(ratio.contender.id)}</tspan></text>`,
      `<rect x="${at(from)}" y="${y}" width="${at(Math.max(1, to - from))}" height="${rowHeight - 5}" class="${kind}"><title>${escaped(ratioText(ratio))}</title></rect>`,
      `<line x1="${at(x(ratio.least))}" x2="${at(x(ratio.most))}" y1="${middle}" y2="${middle}" class="spread"/>`,
      ...(goal === undefined || goal === 1
        ? []
        : [
            `<line x1="${at(x(goal))}" x2="${at(x(goal))}" y1="${y - 2}" y2="${y + rowHeight - 3}" class="goal"/>`,
          ]),
      `<text x="${left + width + 10}" y="${middle + 4}">${ratio.median.toFixed(2)} ×</text>`,
    ].join('')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 80} ${height}" font-family="system-ui, sans-serif" font-size="12">
<style>
text { fill: #333 } .who { fill: #888 } .grid { stroke: #ddd } .level { stroke: #333 }
.met { fill: #3a9a5b } .missed { fill: #d2792b } .plain { fill: #8aa0b8 } .spread { stroke: #333; opacity: .6 } .goal { stroke: #a00; stroke-width: 2 }
</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${left}" y="12">How many times as good as the best of theirs (log scale; red: the goal)</text>
${[...ticks, ...bars].join('\n')}
</svg>
`
}
