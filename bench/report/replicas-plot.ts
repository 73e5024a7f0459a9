import { measures, type MeasureId, type Results } from '../samples.ts'
import { spreadOf, type Spread } from '../statistics.ts'

/* How throughput, replies and cost move with the copies of a fleet: a panel for each measure, a line for each fleet. */

const shown = ['replicas.accepted', 'replicas.p50', 'replicas.p99', 'replicas.cpu'] as const
const [panel, gap, top, height] = [210, 50, 46, 170] as const

interface Point extends Spread {
  readonly copies: number
}

/** The points of each fleet: contenders are named `cheetah-2`. */
const linesOf = (results: Results, measure: MeasureId): ReadonlyMap<string, readonly Point[]> => {
  const lines = new Map<string, Point[]>()
  for (const { id } of results.contenders) {
    const [, fleet = '', copies = ''] = /^(\w+)-(\d+)$/.exec(id) ?? []
    const own = results.samples.filter((one) => one.measure === measure && one.contender === id)
    if (own.length === 0) continue
    const spread = spreadOf(own.map(({ value }) => value))
    lines.set(fleet, [...(lines.get(fleet) ?? []), { copies: Number(copies), ...spread }])
  }
  return lines
}

const at = (value: number): string => value.toFixed(1)

const panelOf = (results: Results, measure: MeasureId, n: number): string => {
  const { title, unit, digits } = measures[measure]
  const lines = linesOf(results, measure)
  const points = [...lines.values()].flat()
  const most = Math.max(...points.map((point) => point.most))
  const copies = [...new Set(points.map((point) => point.copies))].toSorted((a, b) => a - b)
  const left = 20 + n * (panel + gap)
  const x = (count: number) => left + 30 + (copies.indexOf(count) * (panel - 60)) / Math.max(1, copies.length - 1) // prettier-ignore
  const y = (value: number) => top + height * (1 - value / most / 1.15)
  const drawn = [...lines].map(([fleet, own], line) => {
    const path = own.map((point) => `${at(x(point.copies))},${at(y(point.median))}`).join(' ')
    const marks = own.map((point) => {
      const [cx, cy] = [at(x(point.copies)), at(y(point.median))]
      const label = point.median.toFixed(Math.min(2, digits))
      // The upper line has its figures above it, the lower one below.
      const others = points.filter((one) => one.copies === point.copies)
      const up = others.every((one) => one.median <= point.median)
      return `<line x1="${cx}" x2="${cx}" y1="${at(y(point.least))}" y2="${at(y(point.most))}" class="line f${line}"/><circle cx="${cx}" cy="${cy}" r="3.5" class="dot f${line}"/><text x="${cx}" y="${at(y(up ? point.most : point.least) + (up ? -6 : 15))}" text-anchor="middle" class="small">${label}</text>`
    })
    return `<g><title>${fleet}</title><polyline points="${path}" class="line f${line}"/>${marks.join('')}</g>`
  })
  const ticks = copies.map(
    (count) =>
      `<text x="${at(x(count))}" y="${top + height + 18}" text-anchor="middle">${count}</text>`,
  )
  return [
    `<text x="${left}" y="${top - 10}">${title}, ${unit}</text>`,
    `<line x1="${left}" x2="${left + panel}" y1="${top + height}" y2="${top + height}" class="axis"/>`,
    ...ticks,
    ...drawn,
  ].join('\n')
}

/** Undefined for a run that did not measure it. */
export const replicasPlot = (results: Results): string | undefined => {
  const fleets = [...linesOf(results, shown[0]).keys()]
  if (fleets.length === 0) return undefined
  const width = 40 + shown.length * (panel + gap)
  const legend = fleets.map(
    (fleet, n) =>
      `<circle cx="${30 + n * 190}" cy="16" r="4" class="dot f${n}"/><text x="${40 + n * 190}" y="20">${fleet}, by copies of ${fleet === 'tiger' ? 'orders' : 'it'}</text>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top + height + 34}" font-family="system-ui, sans-serif" font-size="12">
<style>
text { fill: #333 } .small { font-size: 10px } .axis { stroke: #333 } .line { fill: none; stroke-width: 2 }
.line.f0 { stroke: #d2792b } .dot.f0 { fill: #d2792b } .line.f1 { stroke: #3465a4 } .dot.f1 { fill: #3465a4 }
</style>
<rect width="100%" height="100%" fill="#fff"/>
${legend.join('\n')}
${shown.map((measure, n) => panelOf(results, measure, n)).join('\n')}
</svg>
`
}
